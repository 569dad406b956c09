// The component of a character that speaks.
#pragma once

#include "CoreMinimal.h"
#include "Components/ActorComponent.h"
#include "KaniNpcSubsystem.h"

#include "KaniNpcVoiceComponent.generated.h"

class UAudioComponent;
class UKaniSoundWave;
class USoundAttenuation;

DECLARE_DYNAMIC_MULTICAST_DELEGATE(FKaniStarted);
/** bWasStopped: somebody stopped it; all of it was played otherwise. */
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FKaniEnded, bool, bWasStopped);
/** Reason is the service's own name of what happened: VOICE_NOT_FOUND. */
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FKaniFailed, const FString&, Reason, const FString&, Message);
/** The mouth moved: 0 is closed and 1 open; Weights are the 15 visemes', in the order of EKaniViseme. */
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FKaniMouth, float, Openness, const TArray<float>&, Weights);

UENUM(BlueprintType)
enum class EKaniViseme : uint8
{
	Sil, PP, FF, TH, DD, KK, CH, SS, NN, RR, AA, E, IH, OH, OU
};

/** One line at a time: a new one takes the place of the old one. */
UCLASS(ClassGroup = (Audio), meta = (BlueprintSpawnableComponent))
class KANINPC_API UKaniNpcVoiceComponent : public UActorComponent
{
	GENERATED_BODY()

public:
	UKaniNpcVoiceComponent();

	/** The NPC's id on the server. Empty: the server's default voice. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Kani NPC")
	FString Npc;

	/** Asks for mouth shapes with the sound. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Kani NPC")
	bool bLipSync = true;

	/** How the voice is placed in space. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Kani NPC")
	TObjectPtr<USoundAttenuation> Attenuation;

	UPROPERTY(BlueprintAssignable, Category = "Kani NPC")
	FKaniStarted OnStarted;

	UPROPERTY(BlueprintAssignable, Category = "Kani NPC")
	FKaniEnded OnEnded;

	UPROPERTY(BlueprintAssignable, Category = "Kani NPC")
	FKaniFailed OnFailed;

	UPROPERTY(BlueprintAssignable, Category = "Kani NPC")
	FKaniMouth OnMouth;

	UFUNCTION(BlueprintCallable, Category = "Kani NPC")
	void Speak(const FString& Text);

	/** Silent at once, on the server too. Nothing to stop is fine. */
	UFUNCTION(BlueprintCallable, Category = "Kani NPC")
	void Stop();

	UFUNCTION(BlueprintPure, Category = "Kani NPC")
	bool IsSpeaking() const { return Line.IsValid(); }

	/** For lines that want more than their text: priority, turn, another voice. */
	void SpeakRequest(const kani::SynthesizeRequest& Request);

	//~ UActorComponent
	virtual void TickComponent(float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction) override;
	virtual void EndPlay(const EEndPlayReason::Type EndPlayReason) override;

private:
	void StartPlaying();
	void Finish();
	void MoveMouth(const kani::Mouth& Mouth);

	UPROPERTY(Transient)
	TObjectPtr<UAudioComponent> Audio;

	UPROPERTY(Transient)
	TObjectPtr<UKaniSoundWave> Wave;

	TUniquePtr<FKaniLine> Line;
	TArray<float> Weights;
};
