// Project Settings > Game > Kani NPC.
#pragma once

#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"

#include "KaniNpcSettings.generated.h"

UCLASS(Config = Game, DefaultConfig, meta = (DisplayName = "Kani NPC"))
class KANINPC_API UKaniNpcSettings : public UDeveloperSettings
{
	GENERATED_BODY()

public:
	/** The server's web port. */
	UPROPERTY(Config, EditAnywhere, Category = "Server")
	FString Address = TEXT("http://127.0.0.1:8051");

	/** Whose NPCs and voices are meant; empty is the server's default project. */
	UPROPERTY(Config, EditAnywhere, Category = "Server")
	FString Project;

	/** So much sound is in hand before a line is heard. Less is sooner, and less sure. */
	UPROPERTY(Config, EditAnywhere, Category = "Playback", meta = (ClampMin = "0.02", ClampMax = "1"))
	float PrebufferSeconds = 0.12f;

	/** A line that takes longer than this is given up. */
	UPROPERTY(Config, EditAnywhere, Category = "Server", meta = (ClampMin = "1"))
	float TimeoutSeconds = 60.0f;
};
