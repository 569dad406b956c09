// Calls over gRPC-Web: HTTP/1.1 POSTs by HttpClient, which is on every platform of Unity but the browser.
//
// Knows methods and messages, nothing of speech. All continuations run on the thread pool, never on Unity's main thread.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace KaniNpc
{
    /// <summary>How long a call may take. Null is for ever.</summary>
    public struct CallOptions
    {
        /// <summary>From the call to its end; the server is told.</summary>
        public TimeSpan? Timeout;
        /// <summary>Without a byte from the server, while somebody waits for one.</summary>
        public TimeSpan? MaxSilence;
    }

    /// <summary>One server. Many calls at once, from any thread; each has a connection of its own while it runs.</summary>
    public sealed class GrpcWebClient : IDisposable
    {
        // .NET's own is 2 to a host: a third NPC would wait until one of two others has spoken.
        private const int MaxConnections = 128;
        private const int MaxMessageBytes = 34 * 1024 * 1024; // an exported voice has at most 32 MiB

        private readonly HttpClient _http;
        private readonly Uri _address;
        private readonly List<KeyValuePair<string, string>> _metadata = new List<KeyValuePair<string, string>>();

        /// <summary>`address` is that of the server's web port: http://127.0.0.1:8051, or https:// of a proxy before it.</summary>
        public GrpcWebClient(string address)
        {
            _address = new Uri(address);
            ServicePoint point = ServicePointManager.FindServicePoint(_address);
            point.ConnectionLimit = Math.Max(point.ConnectionLimit, MaxConnections);
            point.Expect100Continue = false;
            point.UseNagleAlgorithm = false;
            // Deadlines are each call's own.
            _http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false })
            {
                Timeout = Timeout.InfiniteTimeSpan,
            };
        }

        /// <summary>Goes with every call: `authorization`, `kani-project`. Set before the first one.</summary>
        public void AddMetadata(string key, string value)
        {
            _metadata.Add(new KeyValuePair<string, string>(key.ToLowerInvariant(), value));
        }

        public void Dispose() { _http.Dispose(); }

        /// <summary>Throws RpcException, and OperationCanceledException when `cancel` asks for it.</summary>
        public async Task<TResponse> Call<TRequest, TResponse>(
            UnaryMethod<TRequest, TResponse> method, TRequest request, CallOptions options, CancellationToken cancel)
            where TRequest : IWireMessage where TResponse : class
        {
            TResponse response = null;
            await Run(method.Path, request, options, cancel, data =>
            {
                if (response != null) throw new RpcException(StatusCode.Internal, "two answers to a call with one");
                // What is read belongs to the caller, for as long as he likes: a copy.
                var copy = new byte[data.Count];
                Buffer.BlockCopy(data.Array, data.Offset, copy, 0, data.Count);
                response = method.Parse(new ArraySegment<byte>(copy));
                return null;
            }).ConfigureAwait(false);
            if (response == null) throw new RpcException(StatusCode.Internal, "no answer to a call with one");
            return response;
        }

        /// <summary>
        /// Calls `onResponse` for one response after the other, on a thread of the pool. The next one is read when the task
        /// that it returns (null: none) is done, so that a slow listener slows the server. `bytes` of a response are lent
        /// until then. Throws as above, and what `onResponse` throws.
        /// </summary>
        public Task Call<TRequest, TResponse>(
            StreamingMethod<TRequest, TResponse> method, TRequest request, Func<TResponse, Task> onResponse,
            CallOptions options, CancellationToken cancel)
            where TRequest : IWireMessage
        {
            return Run(method.Path, request, options, cancel, data => onResponse(method.Parse(data)));
        }

        private async Task Run(
            string path, IWireMessage request, CallOptions options, CancellationToken cancel,
            Func<ArraySegment<byte>, Task> onMessage)
        {
            byte[] body = FrameReader.Frame(request);
            using (var deadline = new CancellationTokenSource())
            using (var silence = new CancellationTokenSource())
            using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline.Token, silence.Token))
            {
                if (options.Timeout.HasValue) deadline.CancelAfter(options.Timeout.Value);
                try
                {
                    await Exchange(path, body, options, silence, stop.Token, onMessage).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    // Whatever a connection throws that is being torn down, this is why.
                    if (cancel.IsCancellationRequested) throw new OperationCanceledException(cancel);
                    if (deadline.IsCancellationRequested)
                        throw new RpcException(StatusCode.DeadlineExceeded, "the deadline passed");
                    if (silence.IsCancellationRequested)
                        throw new RpcException(StatusCode.Unavailable, "the server fell silent");
                    if (error is WireException || error is InvalidDataException)
                        throw new RpcException(StatusCode.Internal, "not gRPC-Web: " + error.Message);
                    if (error is HttpRequestException || error is WebException || error is IOException
                        || error is SocketException || error is ObjectDisposedException)
                        throw new RpcException(StatusCode.Unavailable, "no connection: " + error.Message);
                    throw;
                }
            }
        }

        private async Task Exchange(
            string path, byte[] body, CallOptions options, CancellationTokenSource silence, CancellationToken stop,
            Func<ArraySegment<byte>, Task> onMessage)
        {
            using (HttpRequestMessage message = Request(path, body, options))
            {
                Patience(silence, options);
                using (HttpResponseMessage response = await _http.SendAsync(
                    message, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false))
                {
                    CheckHead(response);
                    using (Stream stream = await response.Content.ReadAsStreamAsync().ConfigureAwait(false))
                    // Neither mono's streams nor .NET Framework's look at a token once they are reading.
                    using (stop.Register(stream.Dispose))
                    {
                        var frames = new FrameReader(MaxMessageBytes);
                        while (true)
                        {
                            ArraySegment<byte> space = frames.Space();
                            Patience(silence, options);
                            int count = await stream.ReadAsync(space.Array, space.Offset, space.Count, stop)
                                .ConfigureAwait(false);
                            stop.ThrowIfCancellationRequested();
                            if (count == 0) break;
                            silence.CancelAfter(Timeout.Infinite); // a listener may take his time
                            frames.Advance(count);
                            ArraySegment<byte> data;
                            while (frames.TryRead(out data))
                            {
                                Task taken = onMessage(data);
                                if (taken != null) await taken.ConfigureAwait(false);
                                stop.ThrowIfCancellationRequested();
                            }
                        }
                        if (frames.Trailers != null) FrameReader.ThrowUnlessOk(frames.Trailers);
                        else if (frames.IsCutOff || !response.Headers.Contains("grpc-status"))
                            throw new RpcException(StatusCode.Unavailable, "the connection ended in the middle");
                        else FrameReader.ThrowUnlessOk(Headers(response));
                    }
                }
            }
        }

        private HttpRequestMessage Request(string path, byte[] body, CallOptions options)
        {
            var message = new HttpRequestMessage(HttpMethod.Post, new Uri(_address, path))
            {
                Content = new ByteArrayContent(body),
            };
            message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc-web+proto");
            message.Headers.TryAddWithoutValidation("x-grpc-web", "1");
            if (options.Timeout.HasValue)
            {
                // At most eight digits.
                var milliseconds = (long)Math.Min(Math.Max(options.Timeout.Value.TotalMilliseconds, 1), 99999999);
                message.Headers.TryAddWithoutValidation("grpc-timeout", milliseconds + "m");
            }
            foreach (KeyValuePair<string, string> pair in _metadata)
                message.Headers.TryAddWithoutValidation(pair.Key, pair.Value);
            return message;
        }

        private static void Patience(CancellationTokenSource silence, CallOptions options)
        {
            if (options.MaxSilence.HasValue) silence.CancelAfter(options.MaxSilence.Value);
        }

        private static void CheckHead(HttpResponseMessage response)
        {
            MediaTypeHeaderValue type = response.Content.Headers.ContentType;
            bool isGrpc = type != null && type.MediaType.StartsWith("application/grpc-web", StringComparison.Ordinal);
            if (response.IsSuccessStatusCode && isGrpc) return;
            if (response.Headers.Contains("grpc-status")) FrameReader.ThrowUnlessOk(Headers(response));
            throw new RpcException(
                CodeOf((int)response.StatusCode),
                "HTTP " + (int)response.StatusCode + " is no answer of a kani-npc web port");
        }

        /// <summary>As gRPC says what an HTTP status without a gRPC one means.</summary>
        private static StatusCode CodeOf(int httpStatus)
        {
            switch (httpStatus)
            {
                case 400: return StatusCode.Internal;
                case 401: return StatusCode.Unauthenticated;
                case 403: return StatusCode.PermissionDenied;
                case 404: return StatusCode.Unimplemented;
                case 429:
                case 502:
                case 503:
                case 504: return StatusCode.Unavailable;
                default: return StatusCode.Unknown;
            }
        }

        private static Dictionary<string, string> Headers(HttpResponseMessage response)
        {
            return response.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => string.Join(",", h.Value));
        }
    }
}
