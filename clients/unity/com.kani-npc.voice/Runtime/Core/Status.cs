// What a call ended with, when it did not end well.
using System;
using System.Collections.Generic;
using KaniNpc.V1;

namespace KaniNpc
{
    /// <summary>gRPC's status codes.</summary>
    public enum StatusCode
    {
        Ok = 0, Cancelled = 1, Unknown = 2, InvalidArgument = 3, DeadlineExceeded = 4, NotFound = 5,
        AlreadyExists = 6, PermissionDenied = 7, ResourceExhausted = 8, FailedPrecondition = 9, Aborted = 10,
        OutOfRange = 11, Unimplemented = 12, Internal = 13, Unavailable = 14, DataLoss = 15, Unauthenticated = 16,
    }

    /// <summary>The service answered with an error, or could not be reached (`Unavailable`).</summary>
    public sealed class RpcException : Exception
    {
        private static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();

        public readonly StatusCode Code;
        /// <summary>The service's own name of what happened ("VOICE_NOT_FOUND"); empty where it gave none.</summary>
        public readonly string Reason = "";
        /// <summary>The field of the request that is at fault; empty where none is.</summary>
        public readonly string Field = "";
        /// <summary>When to try again, where the service said so.</summary>
        public readonly TimeSpan? RetryAfter;
        /// <summary>What else the service said: `etag` is the current one.</summary>
        public readonly IReadOnlyDictionary<string, string> Metadata = Nothing;

        public RpcException(StatusCode code, string message) : base(message)
        {
            Code = code;
        }

        /// <summary>`details` is a serialized google.rpc.Status, of which what cannot be read is left out.</summary>
        internal RpcException(StatusCode code, string message, byte[] details) : base(message)
        {
            Code = code;
            try
            {
                foreach (Any detail in Status.Parse(new ArraySegment<byte>(details)).Details)
                {
                    if (detail.TypeUrl.EndsWith("/google.rpc.ErrorInfo", StringComparison.Ordinal))
                    {
                        ErrorInfo info = ErrorInfo.Parse(detail.Value);
                        Reason = info.Reason;
                        Metadata = info.Metadata;
                    }
                    else if (detail.TypeUrl.EndsWith("/google.rpc.BadRequest", StringComparison.Ordinal))
                    {
                        List<BadRequestFieldViolation> violations = BadRequest.Parse(detail.Value).FieldViolations;
                        if (violations.Count > 0) Field = violations[0].Field;
                    }
                    else if (detail.TypeUrl.EndsWith("/google.rpc.RetryInfo", StringComparison.Ordinal))
                    {
                        Duration delay = RetryInfo.Parse(detail.Value).RetryDelay;
                        if (delay != null) RetryAfter = TimeSpan.FromSeconds(delay.Seconds + delay.Nanos / 1e9);
                    }
                }
            }
            catch (WireException)
            {
            }
        }

        /// <summary>The same call may go well a little later.</summary>
        public bool MayRetry
        {
            get { return Code == StatusCode.Unavailable || Code == StatusCode.ResourceExhausted; }
        }
    }
}
