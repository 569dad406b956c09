#include "KaniCall.h"

#include "HAL/PlatformTime.h"
#include "HttpModule.h"
#include "Interfaces/IHttpResponse.h"
#include "Serialization/Archive.h"

namespace
{
constexpr int32 MaxTries = 4;

/** Hands a response's body on, piece by piece, on the HTTP thread. */
class FKaniReceiver : public FArchive
{
public:
	explicit FKaniReceiver(std::shared_ptr<kani::SpeechLine> InLine) : Line(std::move(InLine))
	{
		SetIsSaving(true);
	}

	virtual void Serialize(void* Data, int64 Length) override
	{
		// The engine ends a request whose stream has an error.
		if (!Line->Receive({static_cast<const char*>(Data), static_cast<std::size_t>(Length)})) SetError();
	}

private:
	const std::shared_ptr<kani::SpeechLine> Line;
};

kani::CallStatus StatusOf(FHttpResponsePtr Response, bool bConnected, kani::Headers* Headers)
{
	kani::CallStatus Status;
	if (!Response.IsValid())
	{
		Status.code = kani::StatusCode::kUnavailable;
		Status.message = "no connection";
		return Status;
	}
	for (const FString& Header : Response->GetAllHeaders())
	{
		kani::AddHeaderLine(TCHAR_TO_UTF8(*Header), Headers);
	}
	const int32 Code = Response->GetResponseCode();
	// What a call says of itself counts for more than what HTTP says of it. A connection that ended early has no trailers.
	if (bConnected && Code != 200 && Headers->count("grpc-status") == 0) return kani::StatusFromHttp(Code);
	return Status;
}
}

FKaniCall::FKaniCall(FKaniEndpoint InEndpoint, const kani::SynthesizeRequest& InRequest, std::shared_ptr<kani::SpeechLine> InLine)
	: Endpoint(MoveTemp(InEndpoint))
	, Body(kani::Frame(InRequest))
	, Line(std::move(InLine))
	, Backoff(static_cast<std::uint32_t>(FPlatformTime::Cycles()))
{
}

void FKaniCall::Start()
{
	StartedAt = FPlatformTime::Seconds();
	Send();
}

void FKaniCall::Send()
{
	++Tries;
	AgainAt = 0.0;
	const double Left = FMath::Max(0.001, Endpoint.TimeoutSeconds - (FPlatformTime::Seconds() - StartedAt));
	TArray<uint8> Content;
	Content.Append(reinterpret_cast<const uint8*>(Body.data()), static_cast<int32>(Body.size()));

	Request = FHttpModule::Get().CreateRequest();
	Request->SetURL(Endpoint.Url);
	Request->SetVerb(TEXT("POST"));
	Request->SetHeader(TEXT("Content-Type"), TEXT("application/grpc-web+proto"));
	Request->SetHeader(TEXT("X-Grpc-Web"), TEXT("1"));
	Request->SetHeader(TEXT("Grpc-Timeout"), FString::Printf(TEXT("%dm"), static_cast<int32>(Left * 1000.0)));
	if (!Endpoint.Project.IsEmpty()) Request->SetHeader(TEXT("Kani-Project"), Endpoint.Project);
	if (!Endpoint.Token.IsEmpty()) Request->SetHeader(TEXT("Authorization"), TEXT("Bearer ") + Endpoint.Token);
	Request->SetContent(MoveTemp(Content));
	Request->SetTimeout(static_cast<float>(Left));
	Request->SetResponseBodyReceiveStream(MakeShared<FKaniReceiver, ESPMode::ThreadSafe>(Line));
	Request->OnProcessRequestComplete().BindSP(
		AsShared(), [this](FHttpRequestPtr, FHttpResponsePtr Response, bool bConnected) { Complete(Response, bConnected); });
	Request->ProcessRequest();
}

void FKaniCall::Complete(FHttpResponsePtr Response, bool bConnected)
{
	Request.Reset();
	kani::Headers Headers;
	const kani::CallStatus Transport = StatusOf(Response, bConnected, &Headers);
	const kani::CallStatus Status = Line->Judge(Transport, Headers);
	const double Now = FPlatformTime::Seconds();
	const double Wait = Backoff.NextSeconds(Status.retry_after_s);
	const bool bIsLate = Now + Wait >= StartedAt + Endpoint.TimeoutSeconds;
	if (bIsCancelled || Line->is_begun() || !Status.MayRetry() || Tries == MaxTries || bIsLate)
	{
		Line->Finish(Transport, Headers);
		return;
	}
	Line->Restart();
	AgainAt = Now + Wait;
}

void FKaniCall::Tick()
{
	Line->player().Pump();
	if (AgainAt > 0.0 && FPlatformTime::Seconds() >= AgainAt) Send();
}

void FKaniCall::Cancel()
{
	bIsCancelled = true;
	if (Request.IsValid())
	{
		Request->CancelRequest(); // completes it
	}
	else if (AgainAt > 0.0)
	{
		AgainAt = 0.0;
		Line->Finish({}, {});
	}
}
