// Generated from kani_npc/v1/accent_service.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    public sealed class Accent : IWireMessage
    {
        /// <summary>1 to 63 of a-z, 0-9 and -. Never changes.</summary>
        public string Id = "";
        public string DisplayName = "";
        public readonly Dictionary<string, string> Labels = new Dictionary<string, string>();
        /// <summary>Empty for what came with the model.</summary>
        public string Etag = "";
        /// <summary>Output only. Moves when what is heard changes.</summary>
        public int Revision;
        /// <summary>Output only.</summary>
        public Timestamp CreateTime;
        /// <summary>Output only.</summary>
        public Timestamp UpdateTime;
        /// <summary>One of GetServerInfoResponse.model.languages. Another is FAILED_PRECONDITION, here and when a line asks for it.</summary>
        public string Tag = "";
        /// <summary>Over the model's; an NPC's and a request's own go over this.</summary>
        public Sampling Sampling;
        /// <summary>Output only. It came with the model.</summary>
        public bool Builtin;

        public static Accent Parse(ArraySegment<byte> data)
        {
            var message = new Accent();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(DisplayName)) output.String(18, DisplayName);
            output.Map(26, Labels);
            if (!string.IsNullOrEmpty(Etag)) output.String(34, Etag);
            if (Revision != 0) output.Int32(40, Revision);
            if (CreateTime != null) output.Message(50, CreateTime);
            if (UpdateTime != null) output.Message(58, UpdateTime);
            if (!string.IsNullOrEmpty(Tag)) output.String(66, Tag);
            if (Sampling != null) output.Message(74, Sampling);
            if (Builtin) output.Bool(80, Builtin);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: DisplayName = input.String(); break;
                    case 26: input.MapEntry(Labels); break;
                    case 34: Etag = input.String(); break;
                    case 40: Revision = input.Int32(); break;
                    case 50: { var part = CreateTime ?? new Timestamp(); input.Message(part); CreateTime = part; break; }
                    case 58: { var part = UpdateTime ?? new Timestamp(); input.Message(part); UpdateTime = part; break; }
                    case 66: Tag = input.String(); break;
                    case 74: { var part = Sampling ?? new Sampling(); input.Message(part); Sampling = part; break; }
                    case 80: Builtin = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateAccentRequest : IWireMessage
    {
        public Accent Accent;
        public string RequestId = "";

        public static CreateAccentRequest Parse(ArraySegment<byte> data)
        {
            var message = new CreateAccentRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Accent != null) output.Message(10, Accent);
            if (!string.IsNullOrEmpty(RequestId)) output.String(18, RequestId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Accent ?? new Accent(); input.Message(part); Accent = part; break; }
                    case 18: RequestId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateAccentResponse : IWireMessage
    {
        public Accent Accent;

        public static CreateAccentResponse Parse(ArraySegment<byte> data)
        {
            var message = new CreateAccentResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Accent != null) output.Message(10, Accent);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Accent ?? new Accent(); input.Message(part); Accent = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetAccentRequest : IWireMessage
    {
        public string Id = "";

        public static GetAccentRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetAccentRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetAccentResponse : IWireMessage
    {
        public Accent Accent;

        public static GetAccentResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetAccentResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Accent != null) output.Message(10, Accent);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Accent ?? new Accent(); input.Message(part); Accent = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListAccentsRequest : IWireMessage
    {
        public int PageSize;
        public string PageToken = "";

        public static ListAccentsRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListAccentsRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (PageSize != 0) output.Int32(8, PageSize);
            if (!string.IsNullOrEmpty(PageToken)) output.String(18, PageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: PageSize = input.Int32(); break;
                    case 18: PageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListAccentsResponse : IWireMessage
    {
        public readonly List<Accent> Accents = new List<Accent>();
        public string NextPageToken = "";

        public static ListAccentsResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListAccentsResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Accents.Count; i++) output.Message(10, Accents[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Accent(); input.Message(item); Accents.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateAccentRequest : IWireMessage
    {
        public Accent Accent;
        public FieldMask UpdateMask;

        public static UpdateAccentRequest Parse(ArraySegment<byte> data)
        {
            var message = new UpdateAccentRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Accent != null) output.Message(10, Accent);
            if (UpdateMask != null) output.Message(18, UpdateMask);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Accent ?? new Accent(); input.Message(part); Accent = part; break; }
                    case 18: { var part = UpdateMask ?? new FieldMask(); input.Message(part); UpdateMask = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateAccentResponse : IWireMessage
    {
        public Accent Accent;

        public static UpdateAccentResponse Parse(ArraySegment<byte> data)
        {
            var message = new UpdateAccentResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Accent != null) output.Message(10, Accent);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Accent ?? new Accent(); input.Message(part); Accent = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteAccentRequest : IWireMessage
    {
        public string Id = "";
        public string Etag = "";

        public static DeleteAccentRequest Parse(ArraySegment<byte> data)
        {
            var message = new DeleteAccentRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(Etag)) output.String(18, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteAccentResponse : IWireMessage
    {
        public static DeleteAccentResponse Parse(ArraySegment<byte> data)
        {
            var message = new DeleteAccentResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public static class AccentService
    {
        public static readonly UnaryMethod<CreateAccentRequest, CreateAccentResponse> CreateAccent =
            new UnaryMethod<CreateAccentRequest, CreateAccentResponse>("/kani_npc.v1.AccentService/CreateAccent", CreateAccentResponse.Parse);

        public static readonly UnaryMethod<GetAccentRequest, GetAccentResponse> GetAccent =
            new UnaryMethod<GetAccentRequest, GetAccentResponse>("/kani_npc.v1.AccentService/GetAccent", GetAccentResponse.Parse);

        public static readonly UnaryMethod<ListAccentsRequest, ListAccentsResponse> ListAccents =
            new UnaryMethod<ListAccentsRequest, ListAccentsResponse>("/kani_npc.v1.AccentService/ListAccents", ListAccentsResponse.Parse);

        public static readonly UnaryMethod<UpdateAccentRequest, UpdateAccentResponse> UpdateAccent =
            new UnaryMethod<UpdateAccentRequest, UpdateAccentResponse>("/kani_npc.v1.AccentService/UpdateAccent", UpdateAccentResponse.Parse);

        public static readonly UnaryMethod<DeleteAccentRequest, DeleteAccentResponse> DeleteAccent =
            new UnaryMethod<DeleteAccentRequest, DeleteAccentResponse>("/kani_npc.v1.AccentService/DeleteAccent", DeleteAccentResponse.Parse);
    }
}
