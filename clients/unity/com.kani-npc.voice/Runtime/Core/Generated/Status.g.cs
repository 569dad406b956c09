// Generated from google/rpc/status.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    /// <summary>
    /// The `Status` type defines a logical error model that is suitable for
    /// different programming environments, including REST APIs and RPC APIs. It is
    /// used by [gRPC](https://github.com/grpc). Each `Status` message contains
    /// three pieces of data: error code, error message, and error details.
    ///
    /// You can find out more about this error model and how to work with it in the
    /// [API Design Guide](https://cloud.google.com/apis/design/errors).
    /// </summary>
    public sealed class Status : IWireMessage
    {
        /// <summary>
        /// The status code, which should be an enum value of
        /// [google.rpc.Code][google.rpc.Code].
        /// </summary>
        public int Code;
        /// <summary>
        /// A developer-facing error message, which should be in English. Any
        /// user-facing error message should be localized and sent in the
        /// [google.rpc.Status.details][google.rpc.Status.details] field, or localized
        /// by the client.
        /// </summary>
        public string Message = "";
        /// <summary>
        /// A list of messages that carry the error details.  There is a common set of
        /// message types for APIs to use.
        /// </summary>
        public readonly List<Any> Details = new List<Any>();

        public static Status Parse(ArraySegment<byte> data)
        {
            var message = new Status();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Code != 0) output.Int32(8, Code);
            if (!string.IsNullOrEmpty(Message)) output.String(18, Message);
            for (var i = 0; i < Details.Count; i++) output.Message(26, Details[i]);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: Code = input.Int32(); break;
                    case 18: Message = input.String(); break;
                    case 26: { var item = new Any(); input.Message(item); Details.Add(item); break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }
}
