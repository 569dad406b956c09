#include "KaniSpeakAction.h"

UKaniSpeakAction* UKaniSpeakAction::SpeakLine(UKaniNpcVoiceComponent* Voice, const FString& Text)
{
	UKaniSpeakAction* Action = NewObject<UKaniSpeakAction>();
	Action->Voice = Voice;
	Action->Text = Text;
	Action->RegisterWithGameInstance(Voice);
	return Action;
}

void UKaniSpeakAction::Activate()
{
	if (Voice == nullptr)
	{
		HandleFailed(TEXT("NO_VOICE"), TEXT("the voice component is not valid"));
		return;
	}
	Voice->Stop(); // whoever spoke until now hears of his own end, not of ours
	Voice->OnStarted.AddDynamic(this, &UKaniSpeakAction::HandleStarted);
	Voice->OnEnded.AddDynamic(this, &UKaniSpeakAction::HandleEnded);
	Voice->OnFailed.AddDynamic(this, &UKaniSpeakAction::HandleFailed);
	Voice->Speak(Text);
}

void UKaniSpeakAction::Cancel()
{
	if (Voice != nullptr) Voice->Stop();
	Super::Cancel();
}

void UKaniSpeakAction::HandleStarted()
{
	OnStarted.Broadcast();
}

void UKaniSpeakAction::HandleEnded(bool bWasStopped)
{
	Leave();
	OnEnded.Broadcast(bWasStopped);
	SetReadyToDestroy();
}

void UKaniSpeakAction::HandleFailed(const FString& Reason, const FString& Message)
{
	Leave();
	OnFailed.Broadcast(Reason, Message);
	SetReadyToDestroy();
}

void UKaniSpeakAction::Leave()
{
	if (Voice == nullptr) return;
	Voice->OnStarted.RemoveDynamic(this, &UKaniSpeakAction::HandleStarted);
	Voice->OnEnded.RemoveDynamic(this, &UKaniSpeakAction::HandleEnded);
	Voice->OnFailed.RemoveDynamic(this, &UKaniSpeakAction::HandleFailed);
}
