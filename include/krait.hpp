/*
 * krait.hpp - krait.h for C++11 and later: handles that own, spans, and errors as exceptions or as a status.
 *
 *     krait::model model("model.gguf");
 *     krait::state state(model);
 *     std::vector<float> logits(model.out_width());
 *     state.step(token, logits);
 *
 * Everything is inline over krait.h, which says what each call does, takes and may return; link krait itself.
 * Nothing here allocates but std::vector where one is returned, and state::step() is krait_step() and a test.
 *
 * Every call that can fail stands here twice, as in std::filesystem: with a last parameter krait::status &,
 * which is set (with the message of krait.h in it), and without one, which throws krait::error.  Where the
 * compiler has no exceptions (-fno-exceptions, or KRAIT_NO_EXCEPTIONS defined) the second kind is not there.
 */
#ifndef KRAIT_HPP
#define KRAIT_HPP

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "krait.h"

#if !defined(KRAIT_NO_EXCEPTIONS) && !defined(__cpp_exceptions) && !defined(__EXCEPTIONS) && !defined(_CPPUNWIND)
#define KRAIT_NO_EXCEPTIONS
#endif
#ifndef KRAIT_NO_EXCEPTIONS
#include <stdexcept>
#endif

namespace krait {

/* ---- errors ------------------------------------------------------------------- */

/** What a call answered: a KRAIT_OK or KRAIT_ERR_... and, where krait.h has one, a message. */
class status {
public:
    status() noexcept : code_(KRAIT_OK) { message_.text[0] = '\0'; }
    explicit operator bool() const noexcept { return code_ != KRAIT_OK; }   /**< true: it failed, as std::error_code */
    krait_status code() const noexcept { return code_; }
    /** The message, or the name of the status where there is none; never NULL. */
    const char *text() const noexcept { return message_.text[0] ? message_.text : krait_status_text(code_); }

    /** For the calls below: the message that C fills in, and what it returned. */
    krait_message *message() noexcept
    {
        message_.text[0] = '\0';
        return &message_;
    }
    bool set(krait_status code, bool with_message = false) noexcept
    {
        code_ = code;
        if (!with_message || code == KRAIT_OK)
            message_.text[0] = '\0';
        return code == KRAIT_OK;
    }

private:
    krait_status  code_;
    krait_message message_;
};

#ifndef KRAIT_NO_EXCEPTIONS
/** Thrown by every call that is given no status. */
class error : public std::runtime_error {
public:
    explicit error(const status &why) : std::runtime_error(why.text()), code_(why.code()) {}
    krait_status code() const noexcept { return code_; }

private:
    krait_status code_;
};

namespace detail {
inline void check(const status &s)
{
    if (s)
        throw error(s);
}
}
#endif

/* ---- spans --------------------------------------------------------------------- */

/** A pointer and a count, made of an array, a vector, or anything with data() and size(); owns nothing. */
template <class T> class span {
public:
    span() noexcept : data_(nullptr), size_(0) {}
    span(std::nullptr_t) noexcept : data_(nullptr), size_(0) {}
    span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <class C, class = typename std::enable_if<std::is_convertible<
                           decltype(std::declval<C &>().data()), T *>::value>::type>
    span(C &&container) : data_(container.data()), size_(container.size())
    {
    }
    T          *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T          &operator[](std::size_t i) const noexcept { return data_[i]; }
    T          *begin() const noexcept { return data_; }
    T          *end() const noexcept { return data_ + size_; }

private:
    T          *data_;
    std::size_t size_;
};

/* ---- options: krait.h's, with size set and the rest zero ------------------------- */

template <class S> struct sized : S {
    sized() noexcept : S()
    {
        this->size = sizeof(S);
    }
};
typedef sized<krait_open_options>    open_options;
typedef sized<krait_state_options>   state_options;
typedef sized<krait_sample_options>  sample_options;
typedef sized<krait_convert_options> convert_options;
typedef sized<krait_input>           input;
typedef sized<krait_output>          output;
typedef sized<krait_slot_info>       slot_info;
typedef sized<krait_part>            part;
typedef sized<krait_tokenizer_options> tokenizer_options;
typedef sized<krait_token_info>        token_info;

/* ---- tokenizer ------------------------------------------------------------------- */

/** Owns a krait_tokenizer: moves, does not copy.  Immutable: any number of threads may use one at once. */
class tokenizer {
public:
    tokenizer() noexcept : handle_(nullptr) {}
    explicit tokenizer(krait_tokenizer *handle) noexcept : handle_(handle) {}   /**< takes it over */
    tokenizer(tokenizer &&other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
    tokenizer &operator=(tokenizer &&other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }
    tokenizer(const tokenizer &) = delete;
    tokenizer &operator=(const tokenizer &) = delete;
    ~tokenizer() { krait_tokenizer_close(handle_); }

    /** krait_tokenizer_open(); an empty tokenizer if it fails. */
    static tokenizer open(const char *path, const tokenizer_options &options, status &why) noexcept
    {
        krait_tokenizer *handle = nullptr;

        why.set(krait_tokenizer_open(&handle, path, &options, why.message()), true);
        return tokenizer(handle);
    }
    /** krait_tokenizer_open_memory() */
    static tokenizer open(span<const unsigned char> bytes, const tokenizer_options &options, status &why) noexcept
    {
        krait_tokenizer *handle = nullptr;

        why.set(krait_tokenizer_open_memory(&handle, bytes.data(), bytes.size(), &options, why.message()), true);
        return tokenizer(handle);
    }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    const krait_tokenizer *get() const noexcept { return handle_; }

    /** krait_tokenizer_encode(), of one's own or of krait_model_tokenizer(). */
    static std::vector<int32_t> encode(const krait_tokenizer *t, const std::string &text, int32_t flags, status &why)
    {
        std::vector<int32_t> tokens(text.size() + 8);
        std::size_t          count = 0;
        krait_status         code = krait_tokenizer_encode(t, text.data(), text.size(), flags, tokens.data(),
                                                           tokens.size(), &count);

        if (code == KRAIT_ERR_SPACE) {
            tokens.resize(count);
            code = krait_tokenizer_encode(t, text.data(), text.size(), flags, tokens.data(), tokens.size(), &count);
        }
        tokens.resize(why.set(code) ? count : 0);
        return tokens;
    }
    std::vector<int32_t> encode(const std::string &text, int32_t flags, status &why) const
    {
        return encode(handle_, text, flags, why);
    }
    /** krait_tokenizer_decode() */
    static std::string decode(const krait_tokenizer *t, span<const int32_t> tokens, int32_t flags, status &why)
    {
        std::string  text;
        std::size_t  count = 0;
        krait_status code = krait_tokenizer_decode(t, tokens.data(), tokens.size(), flags, nullptr, 0, &count);

        if (code == KRAIT_ERR_SPACE) {
            text.resize(count);
            code = krait_tokenizer_decode(t, tokens.data(), tokens.size(), flags, &text[0], count, &count);
        }
        why.set(code);
        return text;
    }
    std::string decode(span<const int32_t> tokens, int32_t flags, status &why) const
    {
        return decode(handle_, tokens, flags, why);
    }
#ifndef KRAIT_NO_EXCEPTIONS
    explicit tokenizer(const char *path, const tokenizer_options &options = tokenizer_options()) : handle_(nullptr)
    {
        status why;

        *this = open(path, options, why);
        detail::check(why);
    }
    std::vector<int32_t> encode(const std::string &text, int32_t flags = 0) const
    {
        status               why;
        std::vector<int32_t> tokens = encode(handle_, text, flags, why);

        detail::check(why);
        return tokens;
    }
    std::string decode(span<const int32_t> tokens, int32_t flags = 0) const
    {
        status      why;
        std::string text = decode(handle_, tokens, flags, why);

        detail::check(why);
        return text;
    }
#endif

private:
    krait_tokenizer *handle_;
};

/* ---- model ----------------------------------------------------------------------- */

/** Owns a krait_model: moves, does not copy.  Immutable: any number of threads may use one at once. */
class model {
public:
    model() noexcept : handle_(nullptr) {}
    explicit model(krait_model *handle) noexcept : handle_(handle) {}    /**< takes it over */
    model(model &&other) noexcept : handle_(other.release()) {}
    model &operator=(model &&other) noexcept
    {
        if (this != &other)
            reset(other.release());
        return *this;
    }
    model(const model &) = delete;
    model &operator=(const model &) = delete;
    ~model() { krait_model_close(handle_); }

    /** krait_model_open(); an empty model if it fails. */
    static model open(const char *path, const open_options &options, status &why) noexcept
    {
        krait_model *handle = nullptr;

        why.set(krait_model_open(&handle, path, &options, why.message()), true);
        return model(handle);
    }
    /** krait_model_open_memory() */
    static model open(span<const unsigned char> bytes, const open_options &options, status &why) noexcept
    {
        krait_model *handle = nullptr;

        why.set(krait_model_open_memory(&handle, bytes.data(), bytes.size(), &options, why.message()), true);
        return model(handle);
    }
    /** krait_model_create() */
    static model create(const char *description, span<const krait_tensor> tensors, const open_options &options,
                        status &why) noexcept
    {
        krait_model *handle = nullptr;

        why.set(krait_model_create(&handle, description, tensors.data(), tensors.size(), &options,
                                   why.message()), true);
        return model(handle);
    }
#ifndef KRAIT_NO_EXCEPTIONS
    explicit model(const char *path, const open_options &options = open_options()) : handle_(nullptr)
    {
        status why;

        *this = open(path, options, why);
        detail::check(why);
    }
    explicit model(const std::string &path, const open_options &options = open_options())
        : model(path.c_str(), options)
    {
    }
    static model open(span<const unsigned char> bytes, const open_options &options = open_options())
    {
        status why;
        model  made = open(bytes, options, why);

        detail::check(why);
        return made;
    }
    static model create(const char *description, span<const krait_tensor> tensors,
                        const open_options &options = open_options())
    {
        status why;
        model  made = create(description, tensors, options, why);

        detail::check(why);
        return made;
    }
#endif

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    krait_model *get() const noexcept { return handle_; }
    krait_model *release() noexcept
    {
        krait_model *handle = handle_;

        handle_ = nullptr;
        return handle;
    }
    void reset(krait_model *handle = nullptr) noexcept
    {
        krait_model_close(handle_);
        handle_ = handle;
    }

    /** krait_model_get(); 0 for what it does not know. */
    int64_t get(int32_t key) const noexcept
    {
        int64_t value = 0;

        return krait_model_get(handle_, key, &value) == KRAIT_OK ? value : 0;
    }
    std::size_t in_width() const noexcept { return static_cast<std::size_t>(get(KRAIT_IN_WIDTH)); }
    std::size_t out_width() const noexcept { return static_cast<std::size_t>(get(KRAIT_OUT_WIDTH)); }
    std::size_t vocabulary() const noexcept { return static_cast<std::size_t>(get(KRAIT_VOCABULARY)); }
    bool        can_step() const noexcept { return get(KRAIT_CAN_STEP) != 0; }
    /** krait_model_text(); NULL if there is none.  The model owns it. */
    const char *text(const char *key) const noexcept { return krait_model_text(handle_, key); }
    uint64_t    id() const noexcept { return krait_model_id(handle_); }

    /** krait_encode(): the tokens of a text in the model's own vocabulary. */
    std::vector<int32_t> encode(const std::string &text, int32_t flags, status &why) const
    {
        std::vector<int32_t> tokens(text.size() + 8);
        std::size_t          count = 0;
        krait_status         code = krait_encode(handle_, text.data(), text.size(), flags, tokens.data(),
                                                 tokens.size(), &count);

        if (code == KRAIT_ERR_SPACE) {
            tokens.resize(count);
            code = krait_encode(handle_, text.data(), text.size(), flags, tokens.data(), tokens.size(), &count);
        }
        tokens.resize(why.set(code) ? count : 0);
        return tokens;
    }
    /** krait_token_bytes(); empty for what is no token. */
    std::string token(int32_t id) const
    {
        const char *bytes = nullptr;
        std::size_t count = 0;

        return krait_token_bytes(handle_, id, &bytes, &count) == KRAIT_OK ? std::string(bytes, count) : std::string();
    }
#ifndef KRAIT_NO_EXCEPTIONS
    std::vector<int32_t> encode(const std::string &text, int32_t flags = 0) const
    {
        status               why;
        std::vector<int32_t> tokens = encode(text, flags, why);

        detail::check(why);
        return tokens;
    }
#endif

private:
    krait_model *handle_;
};

/* ---- state ----------------------------------------------------------------------- */

/**
 * Owns a krait_state and knows the model that it is run with, which must outlive the calls, not the state:
 * bind() names another of the same id.  One thread at a time; copy with copy_from() or clone().
 */
class state {
public:
    state() noexcept : handle_(nullptr), model_(nullptr), allocator_(nullptr) {}
    state(state &&other) noexcept : handle_(other.handle_), model_(other.model_), allocator_(other.allocator_)
    {
        other.handle_ = nullptr;
    }
    state &operator=(state &&other) noexcept
    {
        if (this != &other) {
            krait_state_destroy(handle_, allocator_);
            handle_ = other.handle_;
            model_ = other.model_;
            allocator_ = other.allocator_;
            other.handle_ = nullptr;
        }
        return *this;
    }
    state(const state &) = delete;
    state &operator=(const state &) = delete;
    ~state() { krait_state_destroy(handle_, allocator_); }

    /** krait_state_create(); the allocator, if there is one, must outlive the state. */
    state(const model &m, const state_options &options, status &why,
          const krait_allocator *allocator = nullptr) noexcept
        : handle_(nullptr), model_(m.get()), allocator_(allocator)
    {
        why.set(krait_state_create(&handle_, model_, &options, allocator_));
    }
#ifndef KRAIT_NO_EXCEPTIONS
    explicit state(const model &m, const state_options &options = state_options(),
                   const krait_allocator *allocator = nullptr)
        : state()
    {
        status why;

        *this = state(m, options, why, allocator);
        detail::check(why);
    }
#endif

    explicit operator bool() const noexcept { return handle_ != nullptr; }
    krait_state *get() const noexcept { return handle_; }
    void         bind(const model &m) noexcept { model_ = m.get(); }

    /** What the lanes remember, to be copied out and in between calls: krait_state_data(). */
    span<unsigned char> data() noexcept
    {
        std::size_t bytes = 0;
        void       *at = krait_state_data(handle_, &bytes);

        return span<unsigned char>(static_cast<unsigned char *>(at), bytes);
    }

    bool reset(int32_t lane, status &why) noexcept { return why.set(krait_state_reset(model_, handle_, lane)); }
    /** krait_state_copy() of all lanes, or of one to one. */
    bool copy_from(const state &other, status &why, int32_t to = KRAIT_ALL_LANES,
                   int32_t from = KRAIT_ALL_LANES) noexcept
    {
        return why.set(krait_state_copy(model_, handle_, to, other.handle_, from));
    }
    bool hash(uint64_t &value, status &why, int32_t lane = KRAIT_ALL_LANES) const noexcept
    {
        return why.set(krait_state_hash(model_, handle_, lane, &value));
    }
    /** krait_state_save() */
    std::vector<unsigned char> save(int32_t lane, status &why) const
    {
        std::vector<unsigned char> bytes;
        std::size_t                needed = 0;

        if (krait_state_save(model_, handle_, lane, nullptr, 0, &needed) == KRAIT_OK)
            bytes.resize(needed);
        if (!why.set(krait_state_save(model_, handle_, lane, bytes.data(), bytes.size(), &needed)))
            bytes.clear();
        return bytes;
    }
    bool load(span<const unsigned char> bytes, int32_t lane, status &why) noexcept
    {
        return why.set(krait_state_load(model_, handle_, lane, bytes.data(), bytes.size(), why.message()), true);
    }
    /** One row a lane: features and out are [lanes][width]; out may be empty.  The sizes are the caller's to keep. */
    bool step(span<const float> features, span<float> out, status &why) noexcept
    {
        return why.set(krait_step(model_, handle_, features.data(), out.data()));
    }
    bool step(span<const int32_t> tokens, span<float> out, status &why) noexcept
    {
        return why.set(krait_step_tokens(model_, handle_, tokens.data(), out.data()));
    }
    bool run(const input &in, output &out, status &why) noexcept
    {
        return why.set(krait_run(model_, handle_, &in, &out, why.message()), true);
    }
#ifndef KRAIT_NO_EXCEPTIONS
    void reset(int32_t lane = KRAIT_ALL_LANES)
    {
        status why;

        reset(lane, why);
        detail::check(why);
    }
    void copy_from(const state &other, int32_t to = KRAIT_ALL_LANES, int32_t from = KRAIT_ALL_LANES)
    {
        status why;

        copy_from(other, why, to, from);
        detail::check(why);
    }
    uint64_t hash(int32_t lane = KRAIT_ALL_LANES) const
    {
        status   why;
        uint64_t value = 0;

        hash(value, why, lane);
        detail::check(why);
        return value;
    }
    std::vector<unsigned char> save(int32_t lane = KRAIT_ALL_LANES) const
    {
        status                     why;
        std::vector<unsigned char> bytes = save(lane, why);

        detail::check(why);
        return bytes;
    }
    void load(span<const unsigned char> bytes, int32_t lane = KRAIT_ALL_LANES)
    {
        status why;

        load(bytes, lane, why);
        detail::check(why);
    }
    void step(span<const float> features, span<float> out)
    {
        krait_status code = krait_step(model_, handle_, features.data(), out.data());

        if (code != KRAIT_OK)
            fail(code);
    }
    void step(span<const int32_t> tokens, span<float> out)
    {
        krait_status code = krait_step_tokens(model_, handle_, tokens.data(), out.data());

        if (code != KRAIT_OK)
            fail(code);
    }
    /** The one lane's token. */
    void step(int32_t token, span<float> out) { step(span<const int32_t>(&token, 1), out); }
    void run(const input &in, output &out)
    {
        status why;

        run(in, out, why);
        detail::check(why);
    }
#endif

private:
#ifndef KRAIT_NO_EXCEPTIONS
    static void fail(krait_status code)
    {
        status why;

        why.set(code);
        throw error(why);
    }
#endif
    krait_state           *handle_;
    const krait_model     *model_;
    const krait_allocator *allocator_;
};

/* ---- sampling ---------------------------------------------------------------------- */

/** krait_rng, seeded. */
struct rng : krait_rng {
    explicit rng(uint64_t seed) noexcept { krait_rng_seed(this, seed); }
};

/** krait_sample(), which uses the logits up; -1 if it fails. */
inline int32_t sample(span<float> logits, const sample_options &options, krait_rng &random, status &why) noexcept
{
    int32_t token = -1;

    return why.set(krait_sample(logits.data(), logits.size(), &options, &random, &token)) ? token : -1;
}

/** krait_convert() */
inline bool convert(const char *from, const char *to, const convert_options &options, status &why) noexcept
{
    return why.set(krait_convert(from, to, &options, why.message()), true);
}

#ifndef KRAIT_NO_EXCEPTIONS
inline int32_t sample(span<float> logits, const sample_options &options, krait_rng &random)
{
    status  why;
    int32_t token = sample(logits, options, random, why);

    detail::check(why);
    return token;
}
inline void convert(const char *from, const char *to, const convert_options &options = convert_options())
{
    status why;

    convert(from, to, options, why);
    detail::check(why);
}
#endif

}
#endif
