// As much of Unreal's public API (5.5, dev.epicgames.com/documentation/unreal-engine/API) as the plugin uses, with just
// enough behind it to run one character. Every engine header that the plugin includes leads here. Never shipped.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using uint8 = std::uint8_t;
using int16 = std::int16_t;
using int32 = std::int32_t;
using uint32 = std::uint32_t;
using int64 = std::int64_t;
using TCHAR = char16_t;

#define TEXT(x) u##x
#define KANINPC_API
#define UCLASS(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define GENERATED_BODY()
#define IMPLEMENT_MODULE(Class, Name)

class FString {
 public:
  FString() = default;
  FString(const TCHAR* text) : text_(text) {}
  bool IsEmpty() const { return text_.empty(); }
  const TCHAR* operator*() const { return text_.c_str(); }
  friend FString operator+(const FString& a, const FString& b) { return FString((a.text_ + b.text_).c_str()); }
  bool operator==(const FString& other) const { return text_ == other.text_; }
  // Knows %d alone.
  static FString Printf(const TCHAR* format, int32 value) {
    const std::u16string text = format;
    const auto at = text.find(u"%d");
    const std::string digits = std::to_string(value);
    return FString((text.substr(0, at) + std::u16string(digits.begin(), digits.end()) + text.substr(at + 2)).c_str());
  }

 private:
  std::u16string text_;
};

// Text here is of the basic plane.
struct StubToUtf8 {
  std::string text;
  explicit StubToUtf8(const TCHAR* from) {
    for (; *from != 0; ++from) {
      const unsigned c = *from;
      if (c < 0x80) {
        text.push_back(static_cast<char>(c));
      } else if (c < 0x800) {
        text.push_back(static_cast<char>(0xC0 | c >> 6));
        text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
      } else {
        text.push_back(static_cast<char>(0xE0 | c >> 12));
        text.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
        text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
      }
    }
  }
};
struct StubToTchar {
  std::u16string text;
  explicit StubToTchar(const char* from) : text(from, from + std::strlen(from)) {}
};
#define TCHAR_TO_UTF8(x) (StubToUtf8(x).text.c_str())
#define UTF8_TO_TCHAR(x) (StubToTchar(x).text.c_str())

template <typename T>
class TArray {
 public:
  int32 Num() const { return static_cast<int32>(items_.size()); }
  T* GetData() { return items_.data(); }
  const T* GetData() const { return items_.data(); }
  T& operator[](int32 i) { return items_.at(static_cast<std::size_t>(i)); }
  const T& operator[](int32 i) const { return items_.at(static_cast<std::size_t>(i)); }
  void Append(const T* items, int32 count) { items_.insert(items_.end(), items, items + count); }
  void Add(const T& item) { items_.push_back(item); }
  void SetNumUninitialized(int32 count) { items_.resize(static_cast<std::size_t>(count)); }
  void SetNumZeroed(int32 count) { items_.assign(static_cast<std::size_t>(count), T()); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
};

template <typename T>
std::remove_reference_t<T>&& MoveTemp(T&& value) { return static_cast<std::remove_reference_t<T>&&>(value); }

struct FMath {
  template <typename T>
  static T Max(T a, T b) { return a < b ? b : a; }
};

enum class ESPMode { ThreadSafe };

template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedPtr : public std::shared_ptr<T> {
 public:
  using std::shared_ptr<T>::shared_ptr;
  TSharedPtr() = default;
  TSharedPtr(std::shared_ptr<T> other) : std::shared_ptr<T>(std::move(other)) {}
  bool IsValid() const { return this->get() != nullptr; }
  void Reset() { this->reset(); }
};
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
using TSharedRef = TSharedPtr<T, Mode>;
template <typename T, ESPMode Mode = ESPMode::ThreadSafe, typename... Arguments>
TSharedRef<T, Mode> MakeShared(Arguments&&... arguments) { return std::make_shared<T>(std::forward<Arguments>(arguments)...); }
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedFromThis : public std::enable_shared_from_this<T> {
 public:
  std::shared_ptr<T> AsShared() { return this->shared_from_this(); }
};

template <typename T>
class TUniquePtr : public std::unique_ptr<T> {
 public:
  using std::unique_ptr<T>::unique_ptr;
  TUniquePtr(std::unique_ptr<T>&& other) : std::unique_ptr<T>(std::move(other)) {}
  bool IsValid() const { return this->get() != nullptr; }
};
template <typename T, typename... Arguments>
TUniquePtr<T> MakeUnique(Arguments&&... arguments) { return std::make_unique<T>(std::forward<Arguments>(arguments)...); }

template <typename T>
class TObjectPtr {  // nobody, to begin with, as Unreal's
 public:
  TObjectPtr(T* object = nullptr) : object_(object) {}
  operator T*() const { return object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

struct FPlatformTime {
  inline static double Now = 1000.0;  // the test's
  static double Seconds() { return Now; }
  static uint32 Cycles() { return 7; }
};

// Objects

struct FObjectInitializer {};

class UObject {
 public:
  virtual ~UObject() = default;
  inline static std::vector<std::unique_ptr<UObject>> All;
};

template <typename T>
T* NewObject(UObject* = nullptr) {
  std::unique_ptr<T> made;
  if constexpr (std::is_constructible_v<T, const FObjectInitializer&>) made = std::make_unique<T>(FObjectInitializer());
  else made = std::make_unique<T>();
  T* object = made.get();
  UObject::All.push_back(std::move(made));
  return object;
}

template <typename... Arguments>
class StubDelegate {
 public:
  void Broadcast(Arguments... arguments) {
    const auto listeners = listeners_;
    for (const auto& listener : listeners) listener.call(arguments...);
  }
  template <typename T>
  void AddDynamic(T* object, void (T::*method)(Arguments...)) {
    listeners_.push_back({object, [=](Arguments... arguments) { (object->*method)(arguments...); }});
  }
  template <typename T>
  void RemoveDynamic(T* object, void (T::*)(Arguments...)) {
    std::vector<Listener> rest;
    for (const auto& listener : listeners_)
      if (listener.object != object) rest.push_back(listener);
    listeners_ = rest;
  }
  void AddForTest(std::function<void(Arguments...)> call) { listeners_.push_back({nullptr, std::move(call)}); }

 private:
  struct Listener {
    void* object;
    std::function<void(Arguments...)> call;
  };
  std::vector<Listener> listeners_;
};
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE(Name) using Name = StubDelegate<>
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, T1, N1) using Name = StubDelegate<T1>
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(Name, T1, N1, T2, N2) using Name = StubDelegate<T1, T2>

class UDeveloperSettings : public UObject {};
template <typename T>
const T* GetDefault() {
  static const T settings;
  return &settings;
}

class UGameInstanceSubsystem : public UObject {};
class UGameInstance : public UObject {
 public:
  template <typename T>
  T* GetSubsystem() {
    static T* one = NewObject<T>();
    return one;
  }
};
class UWorld : public UObject {
 public:
  UGameInstance* GetGameInstance() { return &game; }
  UGameInstance game;
};

class USceneComponent;
class AActor : public UObject {
 public:
  USceneComponent* GetRootComponent() { return nullptr; }
};

enum class ELevelTick { All };
namespace EEndPlayReason {
enum Type { Destroyed };
}
struct FActorComponentTickFunction {
  bool bCanEverTick = false;
};
class UActorComponent : public UObject {
 public:
  using Super = UActorComponent;  // in the engine its header tool writes this into every class
  virtual void TickComponent(float, ELevelTick, FActorComponentTickFunction*) {}
  virtual void EndPlay(const EEndPlayReason::Type) {}
  void RegisterComponent() {}
  AActor* GetOwner() { return &owner; }
  UWorld* GetWorld() {
    static UWorld world;
    return &world;
  }
  FActorComponentTickFunction PrimaryComponentTick;
  AActor owner;
};
class USceneComponent : public UActorComponent {
 public:
  void SetupAttachment(USceneComponent*) {}
};

// Sound

constexpr float INDEFINITELY_LOOPING_DURATION = 10000.0f;
class USoundAttenuation : public UObject {};
class USoundBase : public UObject {};
class USoundWave : public USoundBase {
 public:
  float Duration = 0;
  bool bLooping = true, bProcedural = false;
  int32 NumChannels = 0;
  void SetSampleRate(uint32 rate) { SampleRate = rate; }
  uint32 SampleRate = 0;
};
class USoundWaveProcedural : public USoundWave {
 public:
  explicit USoundWaveProcedural(const FObjectInitializer&) {}
  virtual int32 OnGeneratePCMAudio(TArray<uint8>&, int32) { return 0; }
  using Super = USoundWaveProcedural;
};
class UAudioComponent : public USceneComponent {
 public:
  void SetSound(USoundBase* sound) { Sound = sound; }
  void Play() { Playing = this; }
  void Stop() { Playing = nullptr; }
  USoundAttenuation* AttenuationSettings = nullptr;
  USoundBase* Sound = nullptr;
  inline static UAudioComponent* Playing = nullptr;
};

// Blueprint actions

class UCancellableAsyncAction : public UObject {
 public:
  using Super = UCancellableAsyncAction;
  virtual void Activate() {}
  virtual void Cancel() { SetReadyToDestroy(); }
  void SetReadyToDestroy() { IsDone = true; }
  void RegisterWithGameInstance(const UObject*) {}
  bool IsDone = false;
};

// HTTP

class FArchive {
 public:
  virtual ~FArchive() = default;
  virtual void Serialize(void*, int64) {}
  void SetError() { HasError = true; }
  void SetIsSaving(bool) {}
  bool HasError = false;
};

class IHttpResponse {
 public:
  int32 GetResponseCode() const { return Code; }
  TArray<FString> GetAllHeaders() const { return Headers; }
  int32 Code = 200;
  TArray<FString> Headers;
};
using FHttpResponsePtr = TSharedPtr<IHttpResponse>;

class IHttpRequest;
using FHttpRequestPtr = TSharedPtr<IHttpRequest>;

class FHttpRequestCompleteDelegate {
 public:
  using Call = std::function<void(FHttpRequestPtr, FHttpResponsePtr, bool)>;
  template <typename T>
  void BindSP(const std::shared_ptr<T>& object, Call call) {
    Bound = [weak = std::weak_ptr<T>(object), call](FHttpRequestPtr request, FHttpResponsePtr response, bool connected) {
      if (weak.lock()) call(request, response, connected);
    };
  }
  Call Bound;
};

class IHttpRequest : public std::enable_shared_from_this<IHttpRequest> {
 public:
  void SetURL(const FString& url) { Url = url; }
  void SetVerb(const FString&) {}
  void SetHeader(const FString& name, const FString& value) { Headers.Add(name + TEXT(": ") + value); }
  void SetContent(TArray<uint8>&& content) { Content = std::move(content); }
  void SetTimeout(float) {}
  bool SetResponseBodyReceiveStream(TSharedRef<FArchive> stream) { return Stream = stream, true; }
  FHttpRequestCompleteDelegate& OnProcessRequestComplete() { return Done; }
  bool ProcessRequest() { return Sent.push_back(shared_from_this()), true; }
  void CancelRequest() { IsCancelled = true, Complete(nullptr, false); }

  void Complete(FHttpResponsePtr response, bool connected) { Done.Bound(FHttpRequestPtr(shared_from_this()), response, connected); }

  inline static std::vector<std::shared_ptr<IHttpRequest>> Sent;
  FString Url;
  TArray<FString> Headers;
  TArray<uint8> Content;
  TSharedRef<FArchive> Stream;
  FHttpRequestCompleteDelegate Done;
  bool IsCancelled = false;
};

class FHttpModule {
 public:
  static FHttpModule& Get() {
    static FHttpModule module;
    return module;
  }
  TSharedRef<IHttpRequest> CreateRequest() { return std::make_shared<IHttpRequest>(); }
};
