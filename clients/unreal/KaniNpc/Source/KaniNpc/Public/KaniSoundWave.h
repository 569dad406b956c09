// A line as a sound: the audio thread takes what it needs, the mixer resamples it.
#pragma once

#include "CoreMinimal.h"
#include "Sound/SoundWaveProcedural.h"
#include "kani/speech_line.h"

#include <memory>

#include "KaniSoundWave.generated.h"

/** One line, one wave, one playing sound. */
UCLASS()
class KANINPC_API UKaniSoundWave : public USoundWaveProcedural
{
	GENERATED_BODY()

public:
	UKaniSoundWave(const FObjectInitializer& ObjectInitializer);

	/** Once, before it is played. The line has a header. */
	void Attach(std::shared_ptr<kani::SpeechLine> InLine);

	//~ USoundWaveProcedural, on the audio render thread.
	virtual int32 OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples) override;

private:
	std::shared_ptr<kani::SpeechLine> Line;
};
