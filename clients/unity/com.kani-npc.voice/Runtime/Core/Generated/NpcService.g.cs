// Generated from kani_npc/v1/npc_service.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    /// <summary>What a line that names neither `seed` nor `vary` gets.</summary>
    public enum SeedPolicy
    {
        /// <summary>SEED_POLICY_DERIVED.</summary>
        Unspecified = 0,
        /// <summary>From text, voice and accent: a line always sounds the same.</summary>
        Derived = 1,
        /// <summary>Npc.seed.</summary>
        Fixed = 2,
        /// <summary>Another take each time.</summary>
        Vary = 3,
    }

    /// <summary>How the sound is finished, whatever is said.</summary>
    public sealed class Delivery : IWireMessage
    {
        /// <summary>-40 to 12. Louder than full scale is clipped.</summary>
        public double GainDb;
        /// <summary>
        /// 0 to 5000: so much more silence between the pieces (sentences, mostly) that a long text is said in, on top of what
        /// the model leaves.
        /// </summary>
        public int PauseMs;
        /// <summary>0 to 5000: so much silence before and after every line, whatever the model leaves. Not set: what the model leaves.</summary>
        public int? EdgeSilenceMs;

        public static Delivery Parse(ArraySegment<byte> data)
        {
            var message = new Delivery();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (BitConverter.DoubleToInt64Bits(GainDb) != 0) output.Double(9, GainDb);
            if (PauseMs != 0) output.Int32(16, PauseMs);
            if (EdgeSilenceMs != null) output.Int32(24, EdgeSilenceMs.Value);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 9: GainDb = input.Double(); break;
                    case 16: PauseMs = input.Int32(); break;
                    case 24: EdgeSilenceMs = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class Npc : IWireMessage
    {
        /// <summary>1 to 63 of a-z, 0-9 and -. Never changes.</summary>
        public string Id = "";
        public string DisplayName = "";
        public readonly Dictionary<string, string> Labels = new Dictionary<string, string>();
        public string Etag = "";
        /// <summary>Output only. Moves when what is heard changes.</summary>
        public int Revision;
        /// <summary>Output only.</summary>
        public Timestamp CreateTime;
        /// <summary>Output only.</summary>
        public Timestamp UpdateTime;
        /// <summary>`id`, or `id@revision` to stay with what was approved.</summary>
        public string Voice = "";
        /// <summary>Empty: the voice's own.</summary>
        public string Accent = "";
        /// <summary>Empty: the project's lexicon `default`, if there is one.</summary>
        public string Lexicon = "";
        public Delivery Delivery;
        /// <summary>Over the accent's; a request's own goes over both.</summary>
        public Sampling Sampling;
        public SeedPolicy SeedPolicy;
        /// <summary>Of the policy FIXED, and only there.</summary>
        public long? Seed;

        public static Npc Parse(ArraySegment<byte> data)
        {
            var message = new Npc();
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
            if (!string.IsNullOrEmpty(Voice)) output.String(66, Voice);
            if (!string.IsNullOrEmpty(Accent)) output.String(74, Accent);
            if (!string.IsNullOrEmpty(Lexicon)) output.String(82, Lexicon);
            if (Delivery != null) output.Message(90, Delivery);
            if (Sampling != null) output.Message(98, Sampling);
            if (SeedPolicy != 0) output.Int32(104, (int)SeedPolicy);
            if (Seed != null) output.Int64(112, Seed.Value);
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
                    case 66: Voice = input.String(); break;
                    case 74: Accent = input.String(); break;
                    case 82: Lexicon = input.String(); break;
                    case 90: { var part = Delivery ?? new Delivery(); input.Message(part); Delivery = part; break; }
                    case 98: { var part = Sampling ?? new Sampling(); input.Message(part); Sampling = part; break; }
                    case 104: SeedPolicy = (SeedPolicy)input.Int32(); break;
                    case 112: Seed = input.Int64(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateNpcRequest : IWireMessage
    {
        public Npc Npc;
        public string RequestId = "";

        public static CreateNpcRequest Parse(ArraySegment<byte> data)
        {
            var message = new CreateNpcRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.Message(10, Npc);
            if (!string.IsNullOrEmpty(RequestId)) output.String(18, RequestId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Npc ?? new Npc(); input.Message(part); Npc = part; break; }
                    case 18: RequestId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateNpcResponse : IWireMessage
    {
        public Npc Npc;

        public static CreateNpcResponse Parse(ArraySegment<byte> data)
        {
            var message = new CreateNpcResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.Message(10, Npc);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Npc ?? new Npc(); input.Message(part); Npc = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetNpcRequest : IWireMessage
    {
        public string Id = "";

        public static GetNpcRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetNpcRequest();
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

    public sealed class GetNpcResponse : IWireMessage
    {
        public Npc Npc;

        public static GetNpcResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetNpcResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.Message(10, Npc);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Npc ?? new Npc(); input.Message(part); Npc = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListNpcsRequest : IWireMessage
    {
        public int PageSize;
        public string PageToken = "";

        public static ListNpcsRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListNpcsRequest();
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

    public sealed class ListNpcsResponse : IWireMessage
    {
        public readonly List<Npc> Npcs = new List<Npc>();
        public string NextPageToken = "";

        public static ListNpcsResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListNpcsResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Npcs.Count; i++) output.Message(10, Npcs[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Npc(); input.Message(item); Npcs.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateNpcRequest : IWireMessage
    {
        public Npc Npc;
        public FieldMask UpdateMask;

        public static UpdateNpcRequest Parse(ArraySegment<byte> data)
        {
            var message = new UpdateNpcRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.Message(10, Npc);
            if (UpdateMask != null) output.Message(18, UpdateMask);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Npc ?? new Npc(); input.Message(part); Npc = part; break; }
                    case 18: { var part = UpdateMask ?? new FieldMask(); input.Message(part); UpdateMask = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateNpcResponse : IWireMessage
    {
        public Npc Npc;

        public static UpdateNpcResponse Parse(ArraySegment<byte> data)
        {
            var message = new UpdateNpcResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.Message(10, Npc);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Npc ?? new Npc(); input.Message(part); Npc = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteNpcRequest : IWireMessage
    {
        public string Id = "";
        public string Etag = "";

        public static DeleteNpcRequest Parse(ArraySegment<byte> data)
        {
            var message = new DeleteNpcRequest();
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

    public sealed class DeleteNpcResponse : IWireMessage
    {
        public static DeleteNpcResponse Parse(ArraySegment<byte> data)
        {
            var message = new DeleteNpcResponse();
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

    public static class NpcService
    {
        public static readonly UnaryMethod<CreateNpcRequest, CreateNpcResponse> CreateNpc =
            new UnaryMethod<CreateNpcRequest, CreateNpcResponse>("/kani_npc.v1.NpcService/CreateNpc", CreateNpcResponse.Parse);

        public static readonly UnaryMethod<GetNpcRequest, GetNpcResponse> GetNpc =
            new UnaryMethod<GetNpcRequest, GetNpcResponse>("/kani_npc.v1.NpcService/GetNpc", GetNpcResponse.Parse);

        public static readonly UnaryMethod<ListNpcsRequest, ListNpcsResponse> ListNpcs =
            new UnaryMethod<ListNpcsRequest, ListNpcsResponse>("/kani_npc.v1.NpcService/ListNpcs", ListNpcsResponse.Parse);

        public static readonly UnaryMethod<UpdateNpcRequest, UpdateNpcResponse> UpdateNpc =
            new UnaryMethod<UpdateNpcRequest, UpdateNpcResponse>("/kani_npc.v1.NpcService/UpdateNpc", UpdateNpcResponse.Parse);

        public static readonly UnaryMethod<DeleteNpcRequest, DeleteNpcResponse> DeleteNpc =
            new UnaryMethod<DeleteNpcRequest, DeleteNpcResponse>("/kani_npc.v1.NpcService/DeleteNpc", DeleteNpcResponse.Parse);
    }
}
