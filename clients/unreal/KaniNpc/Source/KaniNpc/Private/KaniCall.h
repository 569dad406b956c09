// One line's HTTP requests: the first, and those that are made again because nothing was heard of it yet.
#pragma once

#include "CoreMinimal.h"
#include "Interfaces/IHttpRequest.h"
#include "kani/backoff.h"
#include "kani/speech_line.h"

#include <memory>

/** Where a call goes, and what goes with it. */
struct FKaniEndpoint
{
	FString Url;
	FString Project;
	FString Token;
	float TimeoutSeconds = 60.0f;
};

/** Game thread only; what comes of the response is received on the HTTP thread. */
class FKaniCall : public TSharedFromThis<FKaniCall, ESPMode::ThreadSafe>
{
public:
	FKaniCall(FKaniEndpoint InEndpoint, const kani::SynthesizeRequest& Request, std::shared_ptr<kani::SpeechLine> InLine);

	void Start();
	void Tick();
	void Cancel();

private:
	void Send();
	void Complete(FHttpResponsePtr Response, bool bConnected);

	const FKaniEndpoint Endpoint;
	const std::string Body;
	const std::shared_ptr<kani::SpeechLine> Line;
	kani::Backoff Backoff;
	TSharedPtr<IHttpRequest, ESPMode::ThreadSafe> Request;
	double StartedAt = 0.0;
	double AgainAt = 0.0;
	int32 Tries = 0;
	bool bIsCancelled = false;
};
