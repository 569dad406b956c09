// Says lines: the order of a stream's events, which calls are tried again, what a whole line is.
using System;
using System.Threading;
using System.Threading.Tasks;
using KaniNpc.V1;

namespace KaniNpc
{
    /// <summary>Hears one line, event by event, on threads of the pool; never two at once.</summary>
    public interface ISpeechListener
    {
        void OnHeader(SpeechHeader header);
        void OnTiming(SpeechTiming timing);
        /// <summary>`audio.Data` is lent until the task is done, and nothing more is read before. Null: done.</summary>
        Task OnAudio(SpeechAudio audio);
    }

    /// <summary>A server that speaks. Any thread.</summary>
    public sealed class SpeechClient : IDisposable
    {
        private const int MaxTries = 4;

        private static readonly CallOptions Quick = new CallOptions { Timeout = TimeSpan.FromSeconds(5) };

        private readonly GrpcWebClient _calls;
        private int _seed = Environment.TickCount;

        public SpeechClient(GrpcWebClient calls)
        {
            _calls = calls;
        }

        public GrpcWebClient Calls { get { return _calls; } }

        public void Dispose() { _calls.Dispose(); }

        /// <summary>
        /// Says a line to its end. A line that found no room, or no server, is tried again for as long as nothing of it was
        /// heard. Throws RpcException, and OperationCanceledException when `cancel` asks for it: the server then stops too.
        /// </summary>
        public async Task<SpeechEnd> Speak(
            SynthesizeRequest request, ISpeechListener listener, CallOptions options, CancellationToken cancel)
        {
            DateTime start = DateTime.UtcNow;
            var backoff = new Backoff(Interlocked.Increment(ref _seed));
            for (int tries = 1; ; tries++)
            {
                var line = new Line(listener, request.Audio);
                CallOptions left = options;
                if (options.Timeout.HasValue) left.Timeout = options.Timeout.Value - (DateTime.UtcNow - start);
                TimeSpan wait;
                try
                {
                    await _calls.Call(SpeechService.Synthesize, request, line.Take, left, cancel).ConfigureAwait(false);
                    return line.End();
                }
                catch (RpcException error)
                {
                    wait = backoff.Next(error.RetryAfter);
                    bool isLate = left.Timeout.HasValue && wait >= options.Timeout.Value - (DateTime.UtcNow - start);
                    if (line.IsBegun || !error.MayRetry || tries == MaxTries || isLate) throw;
                }
                await Task.Delay(wait, cancel).ConfigureAwait(false);
            }
        }

        /// <summary>Stops every line of an NPC, whoever began it.</summary>
        public Task<InterruptResponse> Interrupt(string npc, CancellationToken cancel)
        {
            return _calls.Call(SpeechService.Interrupt, new InterruptRequest { Npc = npc }, Quick, cancel);
        }

        /// <summary>Adds text to a line that was begun with `OpenText`; pieces are counted from 0.</summary>
        public Task<AppendTextResponse> Append(
            string utteranceId, int sequence, string text, bool close, CancellationToken cancel)
        {
            var request = new AppendTextRequest
            {
                UtteranceId = utteranceId,
                Sequence = sequence,
                Piece = new TextPiece { Text = text, Close = close },
            };
            return _calls.Call(SpeechService.AppendText, request, Quick, cancel);
        }

        public Task<GetServerInfoResponse> ServerInfo(CancellationToken cancel)
        {
            return _calls.Call(SpeechService.GetServerInfo, new GetServerInfoRequest(), Quick, cancel);
        }

        /// <summary>One stream, judged as it comes: one header, sound without gaps, one end that counts it.</summary>
        private sealed class Line
        {
            private readonly ISpeechListener _listener;
            private readonly int _sampleBytes;
            private long _samples;
            private SpeechEnd _end;

            internal Line(ISpeechListener listener, AudioFormat format)
            {
                _listener = listener;
                AudioEncoding encoding = format == null ? AudioEncoding.Unspecified : format.Encoding;
                switch (encoding)
                {
                    case AudioEncoding.Unspecified:
                    case AudioEncoding.Linear16: _sampleBytes = 2; break;
                    case AudioEncoding.Float32: _sampleBytes = 4; break;
                    case AudioEncoding.Mulaw: _sampleBytes = 1; break;
                    default: _sampleBytes = 0; break; // packets: their samples cannot be counted here
                }
            }

            internal bool IsBegun { get; private set; }

            internal Task Take(SynthesizeResponse response)
            {
                Check(_end == null);
                switch (response.EventCase)
                {
                    case SynthesizeResponse.EventCaseKind.Header:
                        Check(!IsBegun);
                        IsBegun = true;
                        _listener.OnHeader(response.Header);
                        return null;
                    case SynthesizeResponse.EventCaseKind.Timing:
                        _listener.OnTiming(response.Timing);
                        return null;
                    case SynthesizeResponse.EventCaseKind.Audio:
                        Check(IsBegun);
                        if (_sampleBytes > 0)
                        {
                            Check(response.Audio.FirstSample == _samples && response.Audio.Data.Count % _sampleBytes == 0);
                            _samples += response.Audio.Data.Count / _sampleBytes;
                        }
                        return _listener.OnAudio(response.Audio);
                    case SynthesizeResponse.EventCaseKind.End:
                        Check(IsBegun);
                        _end = response.End;
                        return null;
                    default:
                        return null; // of a later version
                }
            }

            internal SpeechEnd End()
            {
                Check(_end != null && (_sampleBytes == 0 || _end.TotalSamples == _samples));
                return _end;
            }

            private static void Check(bool isWhole)
            {
                if (!isWhole) throw new RpcException(StatusCode.DataLoss, "the speech that came is not whole");
            }
        }
    }
}
