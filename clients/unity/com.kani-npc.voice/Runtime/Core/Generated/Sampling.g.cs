// Generated from kani_npc/v1/sampling.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    /// <summary>Every field that is not set keeps the model's own value (GetServerInfoResponse.model.sampling).</summary>
    public sealed class Sampling : IWireMessage
    {
        /// <summary>Above 0, at most 5. Lower is steadier, higher is livelier.</summary>
        public double? Temperature;
        /// <summary>1 to 1000: only so many of the likeliest codes are candidates.</summary>
        public int? TopK;
        /// <summary>Above 0, at most 1: only codes of this much probability together are candidates.</summary>
        public double? TopP;
        /// <summary>0.5 to 5: above 1, codes that were used already become less likely.</summary>
        public double? RepetitionPenalty;
        /// <summary>Always the likeliest code; the seed then changes nothing.</summary>
        public bool? Greedy;
        /// <summary>The line does not end before so many frames of 80 ms.</summary>
        public int? MinFrames;
        /// <summary>The line is cut after so many frames of 80 ms.</summary>
        public int? MaxFrames;

        public static Sampling Parse(ArraySegment<byte> data)
        {
            var message = new Sampling();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Temperature != null) output.Double(9, Temperature.Value);
            if (TopK != null) output.Int32(16, TopK.Value);
            if (TopP != null) output.Double(25, TopP.Value);
            if (RepetitionPenalty != null) output.Double(33, RepetitionPenalty.Value);
            if (Greedy != null) output.Bool(40, Greedy.Value);
            if (MinFrames != null) output.Int32(48, MinFrames.Value);
            if (MaxFrames != null) output.Int32(56, MaxFrames.Value);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 9: Temperature = input.Double(); break;
                    case 16: TopK = input.Int32(); break;
                    case 25: TopP = input.Double(); break;
                    case 33: RepetitionPenalty = input.Double(); break;
                    case 40: Greedy = input.Bool(); break;
                    case 48: MinFrames = input.Int32(); break;
                    case 56: MaxFrames = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }
}
