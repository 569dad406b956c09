// One line of one NPC, from the request to the last sample that was played.
using System;
using System.Threading;
using System.Threading.Tasks;
using KaniNpc.V1;

namespace KaniNpc
{
    /// <summary>Begins with its constructor. All of it may be asked from any thread; nothing of it calls back.</summary>
    public sealed class SpokenLine : ISpeechListener
    {
        private readonly CancellationTokenSource _cancel = new CancellationTokenSource();
        private readonly double _prebufferSeconds;
        private SpeechHeader _header;
        private SpeechEnd _end;
        private Exception _error;

        /// <summary>`outputRate` is that of the player's reader; 0 where it takes the stream's own.</summary>
        public SpokenLine(
            SpeechClient client, SynthesizeRequest request, CallOptions options, double prebufferSeconds, int outputRate)
        {
            AudioEncoding encoding = request.Audio == null ? AudioEncoding.Unspecified : request.Audio.Encoding;
            if (encoding != AudioEncoding.Unspecified && encoding != AudioEncoding.Linear16)
                throw new ArgumentException("lines are played from LINEAR16", "request");
            _prebufferSeconds = prebufferSeconds;
            Player = new SpeechPlayer(outputRate);
            Timing = new TimingTrack();
            Received = Task.Run(() => Receive(client, request, options));
        }

        public readonly SpeechPlayer Player;
        public readonly TimingTrack Timing;

        /// <summary>Done when nothing more comes; never fails.</summary>
        public readonly Task Received;

        /// <summary>Null until the line began.</summary>
        public SpeechHeader Header { get { return Volatile.Read(ref _header); } }
        /// <summary>Null until all was received, and for ever where that failed.</summary>
        public SpeechEnd End { get { return Volatile.Read(ref _end); } }
        /// <summary>Why not all of it came: an RpcException as a rule. Null for a line that was merely stopped.</summary>
        public Exception Error { get { return Volatile.Read(ref _error); } }
        /// <summary>Nothing more is heard of it.</summary>
        public bool IsOver { get { return Player.State == PlayerState.Finished; } }

        /// <summary>Silent within a few milliseconds; the server stops before its next frame.</summary>
        public void Stop()
        {
            Player.Stop();
            _cancel.Cancel();
        }

        private async Task Receive(SpeechClient client, SynthesizeRequest request, CallOptions options)
        {
            try
            {
                SpeechEnd end = await client.Speak(request, this, options, _cancel.Token).ConfigureAwait(false);
                // Somebody wants silence now, not when what is in hand was played.
                if (end.FinishReason == FinishReason.Interrupted || end.FinishReason == FinishReason.Superseded) Player.Stop();
                Volatile.Write(ref _end, end);
            }
            catch (OperationCanceledException)
            {
                Player.Stop();
            }
            catch (Exception error)
            {
                Volatile.Write(ref _error, error);
                var answer = error as RpcException;
                // A voice that lost its consent must not be heard any more; after a lost connection the rest may be.
                if (answer == null || answer.Code != StatusCode.Unavailable && answer.Code != StatusCode.DeadlineExceeded)
                    Player.Stop();
            }
            finally
            {
                Player.Complete();
            }
        }

        void ISpeechListener.OnHeader(SpeechHeader header)
        {
            // A machine that is slower than speech says how much it needs.
            Player.Begin(header.SampleRateHz, Math.Max(_prebufferSeconds, header.RecommendedPrebufferMs / 1000.0));
            Volatile.Write(ref _header, header);
        }

        void ISpeechListener.OnTiming(SpeechTiming timing) { Timing.Add(timing); }

        Task ISpeechListener.OnAudio(SpeechAudio audio) { return Player.Write(audio.Data, _cancel.Token); }
    }
}
