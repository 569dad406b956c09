// A Blueprint node that waits for a line: Speak Line.
#pragma once

#include "CoreMinimal.h"
#include "Engine/CancellableAsyncAction.h"
#include "KaniNpcVoiceComponent.h"

#include "KaniSpeakAction.generated.h"

UCLASS()
class KANINPC_API UKaniSpeakAction : public UCancellableAsyncAction
{
	GENERATED_BODY()

public:
	/** Speaks through a character's voice; cancelling it stops the voice. */
	UFUNCTION(BlueprintCallable, Category = "Kani NPC", meta = (BlueprintInternalUseOnly = "true"))
	static UKaniSpeakAction* SpeakLine(UKaniNpcVoiceComponent* Voice, const FString& Text);

	UPROPERTY(BlueprintAssignable)
	FKaniStarted OnStarted;

	UPROPERTY(BlueprintAssignable)
	FKaniEnded OnEnded;

	UPROPERTY(BlueprintAssignable)
	FKaniFailed OnFailed;

	//~ UBlueprintAsyncActionBase
	virtual void Activate() override;
	//~ UCancellableAsyncAction
	virtual void Cancel() override;

private:
	UFUNCTION()
	void HandleStarted();
	UFUNCTION()
	void HandleEnded(bool bWasStopped);
	UFUNCTION()
	void HandleFailed(const FString& Reason, const FString& Message);
	void Leave();

	UPROPERTY(Transient)
	TObjectPtr<UKaniNpcVoiceComponent> Voice;

	FString Text;
};
