// Generated from kani_npc/v1/lexicon_service.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    public sealed class Lexicon : IWireMessage
    {
        /// <summary>1 to 63 of a-z, 0-9 and -. Never changes.</summary>
        public string Id = "";
        public string DisplayName = "";
        public readonly Dictionary<string, string> Labels = new Dictionary<string, string>();
        public string Etag = "";
        /// <summary>Output only. Moves when an entry changes.</summary>
        public int Revision;
        /// <summary>Output only.</summary>
        public Timestamp CreateTime;
        /// <summary>Output only.</summary>
        public Timestamp UpdateTime;
        /// <summary>
        /// A word, or several, and how to write it so that it is said right: {"Cthulhu": "kuh thoo loo"}. Upper and lower case
        /// are the same, whole words are found, the longest first, and what is put in is not looked up again. At most 2000.
        /// </summary>
        public readonly Dictionary<string, string> Entries = new Dictionary<string, string>();

        public static Lexicon Parse(ArraySegment<byte> data)
        {
            var message = new Lexicon();
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
            output.Map(66, Entries);
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
                    case 66: input.MapEntry(Entries); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateLexiconRequest : IWireMessage
    {
        public Lexicon Lexicon;
        public string RequestId = "";

        public static CreateLexiconRequest Parse(ArraySegment<byte> data)
        {
            var message = new CreateLexiconRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
            if (!string.IsNullOrEmpty(RequestId)) output.String(18, RequestId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    case 18: RequestId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateLexiconResponse : IWireMessage
    {
        public Lexicon Lexicon;

        public static CreateLexiconResponse Parse(ArraySegment<byte> data)
        {
            var message = new CreateLexiconResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetLexiconRequest : IWireMessage
    {
        public string Id = "";

        public static GetLexiconRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetLexiconRequest();
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

    public sealed class GetLexiconResponse : IWireMessage
    {
        public Lexicon Lexicon;

        public static GetLexiconResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetLexiconResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListLexiconsRequest : IWireMessage
    {
        public int PageSize;
        public string PageToken = "";

        public static ListLexiconsRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListLexiconsRequest();
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

    public sealed class ListLexiconsResponse : IWireMessage
    {
        public readonly List<Lexicon> Lexicons = new List<Lexicon>();
        public string NextPageToken = "";

        public static ListLexiconsResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListLexiconsResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Lexicons.Count; i++) output.Message(10, Lexicons[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Lexicon(); input.Message(item); Lexicons.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateLexiconRequest : IWireMessage
    {
        public Lexicon Lexicon;
        public FieldMask UpdateMask;

        public static UpdateLexiconRequest Parse(ArraySegment<byte> data)
        {
            var message = new UpdateLexiconRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
            if (UpdateMask != null) output.Message(18, UpdateMask);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    case 18: { var part = UpdateMask ?? new FieldMask(); input.Message(part); UpdateMask = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateLexiconResponse : IWireMessage
    {
        public Lexicon Lexicon;

        public static UpdateLexiconResponse Parse(ArraySegment<byte> data)
        {
            var message = new UpdateLexiconResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteLexiconRequest : IWireMessage
    {
        public string Id = "";
        public string Etag = "";

        public static DeleteLexiconRequest Parse(ArraySegment<byte> data)
        {
            var message = new DeleteLexiconRequest();
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

    public sealed class DeleteLexiconResponse : IWireMessage
    {
        public static DeleteLexiconResponse Parse(ArraySegment<byte> data)
        {
            var message = new DeleteLexiconResponse();
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

    public sealed class ListLexiconRevisionsRequest : IWireMessage
    {
        public string Id = "";
        public int PageSize;
        public string PageToken = "";

        public static ListLexiconRevisionsRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListLexiconRevisionsRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (PageSize != 0) output.Int32(16, PageSize);
            if (!string.IsNullOrEmpty(PageToken)) output.String(26, PageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 16: PageSize = input.Int32(); break;
                    case 26: PageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListLexiconRevisionsResponse : IWireMessage
    {
        public readonly List<Lexicon> Lexicons = new List<Lexicon>();
        public string NextPageToken = "";

        public static ListLexiconRevisionsResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListLexiconRevisionsResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Lexicons.Count; i++) output.Message(10, Lexicons[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Lexicon(); input.Message(item); Lexicons.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RollBackLexiconRequest : IWireMessage
    {
        public string Id = "";
        public int Revision;
        public string Etag = "";

        public static RollBackLexiconRequest Parse(ArraySegment<byte> data)
        {
            var message = new RollBackLexiconRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (Revision != 0) output.Int32(16, Revision);
            if (!string.IsNullOrEmpty(Etag)) output.String(26, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 16: Revision = input.Int32(); break;
                    case 26: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RollBackLexiconResponse : IWireMessage
    {
        public Lexicon Lexicon;

        public static RollBackLexiconResponse Parse(ArraySegment<byte> data)
        {
            var message = new RollBackLexiconResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Lexicon != null) output.Message(10, Lexicon);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Lexicon ?? new Lexicon(); input.Message(part); Lexicon = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public static class LexiconService
    {
        public static readonly UnaryMethod<CreateLexiconRequest, CreateLexiconResponse> CreateLexicon =
            new UnaryMethod<CreateLexiconRequest, CreateLexiconResponse>("/kani_npc.v1.LexiconService/CreateLexicon", CreateLexiconResponse.Parse);

        public static readonly UnaryMethod<GetLexiconRequest, GetLexiconResponse> GetLexicon =
            new UnaryMethod<GetLexiconRequest, GetLexiconResponse>("/kani_npc.v1.LexiconService/GetLexicon", GetLexiconResponse.Parse);

        public static readonly UnaryMethod<ListLexiconsRequest, ListLexiconsResponse> ListLexicons =
            new UnaryMethod<ListLexiconsRequest, ListLexiconsResponse>("/kani_npc.v1.LexiconService/ListLexicons", ListLexiconsResponse.Parse);

        public static readonly UnaryMethod<UpdateLexiconRequest, UpdateLexiconResponse> UpdateLexicon =
            new UnaryMethod<UpdateLexiconRequest, UpdateLexiconResponse>("/kani_npc.v1.LexiconService/UpdateLexicon", UpdateLexiconResponse.Parse);

        public static readonly UnaryMethod<DeleteLexiconRequest, DeleteLexiconResponse> DeleteLexicon =
            new UnaryMethod<DeleteLexiconRequest, DeleteLexiconResponse>("/kani_npc.v1.LexiconService/DeleteLexicon", DeleteLexiconResponse.Parse);

        /// <summary>Newest first.</summary>
        public static readonly UnaryMethod<ListLexiconRevisionsRequest, ListLexiconRevisionsResponse> ListLexiconRevisions =
            new UnaryMethod<ListLexiconRevisionsRequest, ListLexiconRevisionsResponse>("/kani_npc.v1.LexiconService/ListLexiconRevisions", ListLexiconRevisionsResponse.Parse);

        /// <summary>A new revision with the words of an old one.</summary>
        public static readonly UnaryMethod<RollBackLexiconRequest, RollBackLexiconResponse> RollBackLexicon =
            new UnaryMethod<RollBackLexiconRequest, RollBackLexiconResponse>("/kani_npc.v1.LexiconService/RollBackLexicon", RollBackLexiconResponse.Parse);
    }
}
