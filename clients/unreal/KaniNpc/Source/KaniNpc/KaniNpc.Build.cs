using UnrealBuildTool;

public class KaniNpc : ModuleRules
{
    public KaniNpc(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
        PublicDependencyModuleNames.AddRange(new[] { "Core", "CoreUObject", "Engine", "DeveloperSettings", "KaniNpcCore" });
        PrivateDependencyModuleNames.AddRange(new[] { "HTTP" });
    }
}
