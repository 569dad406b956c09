#include "KaniNpcSubsystem.h"

#include "KaniCall.h"
#include "KaniNpcSettings.h"

FKaniLine::FKaniLine(std::shared_ptr<kani::SpeechLine> InLine, TSharedRef<FKaniCall, ESPMode::ThreadSafe> InCall)
	: Line(std::move(InLine))
	, Call(InCall)
{
}

FKaniLine::~FKaniLine()
{
	if (!Line->is_received()) Stop();
}

void FKaniLine::Tick()
{
	Call->Tick();
}

void FKaniLine::Stop()
{
	Line->Stop();
	Call->Cancel();
}

void UKaniNpcSubsystem::Authorize(const FString& InToken)
{
	Token = InToken;
}

void UKaniNpcSubsystem::Connect(const FString& InAddress, const FString& InProject)
{
	Address = InAddress;
	Project = InProject;
}

TUniquePtr<FKaniLine> UKaniNpcSubsystem::Speak(const kani::SynthesizeRequest& Request)
{
	const UKaniNpcSettings* Settings = GetDefault<UKaniNpcSettings>();
	FKaniEndpoint Endpoint;
	Endpoint.Url = (Address.IsEmpty() ? Settings->Address : Address) + UTF8_TO_TCHAR(kani::SpeechService::Synthesize.path);
	Endpoint.Project = Address.IsEmpty() ? Settings->Project : Project;
	Endpoint.Token = Token;
	Endpoint.TimeoutSeconds = Settings->TimeoutSeconds;
	const std::shared_ptr<kani::SpeechLine> Line = std::make_shared<kani::SpeechLine>(Settings->PrebufferSeconds);
	const TSharedRef<FKaniCall, ESPMode::ThreadSafe> Call = MakeShared<FKaniCall, ESPMode::ThreadSafe>(MoveTemp(Endpoint), Request, Line);
	Call->Start();
	return MakeUnique<FKaniLine>(Line, Call);
}
