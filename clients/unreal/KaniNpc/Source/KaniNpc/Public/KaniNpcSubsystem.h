// Starts lines, for all voices of a game.
#pragma once

#include "CoreMinimal.h"
#include "Subsystems/GameInstanceSubsystem.h"
#include "kani/speech_line.h"

#include <memory>

#include "KaniNpcSubsystem.generated.h"

class FKaniCall;

/** One line that is being said. Game thread only, but for what `Line` allows others. */
class KANINPC_API FKaniLine
{
public:
	FKaniLine(std::shared_ptr<kani::SpeechLine> InLine, TSharedRef<FKaniCall, ESPMode::ThreadSafe> InCall);
	~FKaniLine();

	/** Once a picture. */
	void Tick();

	/** Silent within a few milliseconds; the server stops before its next frame. */
	void Stop();

	const std::shared_ptr<kani::SpeechLine> Line;

private:
	TSharedRef<FKaniCall, ESPMode::ThreadSafe> Call;
};

UCLASS()
class KANINPC_API UKaniNpcSubsystem : public UGameInstanceSubsystem
{
	GENERATED_BODY()

public:
	/** A token that your game server hands out, from the next line on. Never build one into the game. */
	UFUNCTION(BlueprintCallable, Category = "Kani NPC")
	void Authorize(const FString& InToken);

	/** For servers that are not chosen in the project's settings. */
	UFUNCTION(BlueprintCallable, Category = "Kani NPC")
	void Connect(const FString& InAddress, const FString& InProject);

	/** Says a line. The request must ask for LINEAR16, which is the default. */
	TUniquePtr<FKaniLine> Speak(const kani::SynthesizeRequest& Request);

private:
	FString Token;
	FString Address;
	FString Project;
};
