using UnrealBuildTool;

// Plain C++17: knows no engine, but for Private/Unreal, which makes a module of it.
public class KaniNpcCore : ModuleRules
{
    public KaniNpcCore(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.NoPCHs;
        bUseUnity = false;
        bEnableExceptions = false;
        bUseRTTI = false;
        PrivateDependencyModuleNames.AddRange(new[] { "Core" });
    }
}
