#include "KaniSoundWave.h"

UKaniSoundWave::UKaniSoundWave(const FObjectInitializer& ObjectInitializer) : Super(ObjectInitializer)
{
	NumChannels = 1;
	Duration = INDEFINITELY_LOOPING_DURATION;
	bLooping = false;
	bProcedural = true;
}

void UKaniSoundWave::Attach(std::shared_ptr<kani::SpeechLine> InLine)
{
	Line = std::move(InLine);
	SetSampleRate(static_cast<uint32>(Line->player().sample_rate_hz()));
}

int32 UKaniSoundWave::OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples)
{
	OutAudio.SetNumUninitialized(NumSamples * static_cast<int32>(sizeof(int16)));
	Line->player().Read(reinterpret_cast<int16*>(OutAudio.GetData()), static_cast<std::size_t>(NumSamples));
	return NumSamples;
}
