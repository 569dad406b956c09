#include "KaniNpcVoiceComponent.h"

#include "Components/AudioComponent.h"
#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "GameFramework/Actor.h"
#include "KaniSoundWave.h"

UKaniNpcVoiceComponent::UKaniNpcVoiceComponent()
{
	PrimaryComponentTick.bCanEverTick = true;
	Weights.SetNumZeroed(static_cast<int32>(kani::kNumVisemes));
}

void UKaniNpcVoiceComponent::Speak(const FString& Text)
{
	kani::SynthesizeRequest Request;
	Request.text = TCHAR_TO_UTF8(*Text);
	Request.npc = TCHAR_TO_UTF8(*Npc);
	Request.visemes = bLipSync;
	SpeakRequest(Request);
}

void UKaniNpcVoiceComponent::SpeakRequest(const kani::SynthesizeRequest& Request)
{
	Stop();
	Line = GetWorld()->GetGameInstance()->GetSubsystem<UKaniNpcSubsystem>()->Speak(Request);
}

void UKaniNpcVoiceComponent::Stop()
{
	if (!Line.IsValid()) return;
	Line->Stop();
	Finish();
}

void UKaniNpcVoiceComponent::TickComponent(float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction)
{
	Super::TickComponent(DeltaTime, TickType, ThisTickFunction);
	if (!Line.IsValid()) return;
	Line->Tick();
	if (Wave == nullptr && Line->Line->is_begun())
	{
		StartPlaying();
		if (!Line.IsValid()) return; // who hears that it began may stop it
	}
	const kani::SpeechLine& Speech = *Line->Line;
	MoveMouth(Speech.timing().At(Speech.player().samples_played()));
	// What never began is over when it was received.
	if (Speech.is_over() || (Speech.is_received() && !Speech.is_begun())) Finish();
}

void UKaniNpcVoiceComponent::StartPlaying()
{
	if (Audio == nullptr)
	{
		Audio = NewObject<UAudioComponent>(GetOwner());
		Audio->SetupAttachment(GetOwner()->GetRootComponent());
		Audio->RegisterComponent();
	}
	Wave = NewObject<UKaniSoundWave>(this);
	Wave->Attach(Line->Line);
	Audio->AttenuationSettings = Attenuation;
	Audio->SetSound(Wave);
	Audio->Play();
	OnStarted.Broadcast();
}

void UKaniNpcVoiceComponent::Finish()
{
	const TUniquePtr<FKaniLine> Done = MoveTemp(Line);
	if (Wave != nullptr)
	{
		// A procedural sound does not end by itself.
		Audio->Stop();
		Wave = nullptr;
	}
	MoveMouth(kani::Mouth());
	const kani::CallStatus Status = Done->Line->status();
	if (Status.ok())
	{
		OnEnded.Broadcast(!Done->Line->end().has_value());
	}
	else
	{
		OnFailed.Broadcast(UTF8_TO_TCHAR(Status.reason.c_str()), UTF8_TO_TCHAR(Status.message.c_str()));
	}
}

void UKaniNpcVoiceComponent::MoveMouth(const kani::Mouth& Mouth)
{
	for (int32 i = 0; i < Weights.Num(); ++i) Weights[i] = Mouth.weights[static_cast<std::size_t>(i)];
	OnMouth.Broadcast(Mouth.openness, Weights);
}

void UKaniNpcVoiceComponent::EndPlay(const EEndPlayReason::Type EndPlayReason)
{
	Stop();
	Super::EndPlay(EndPlayReason);
}
