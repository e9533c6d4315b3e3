/*
 * wrapper.cc - a C++11 program of someone else over krait.hpp: what it owns, converts and throws.  Compiled a
 * second time without exceptions, it uses the calls that set a status.
 */
#include <krait.hpp>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

static int failures;

#define CHECK(what)                                          \
    do {                                                     \
        if (!(what)) {                                       \
            std::printf("%d: not so: %s\n", __LINE__, #what); \
            failures++;                                      \
        }                                                    \
    } while (0)

static const char description[] =
    "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},"
    "\"tree\":{\"sequence\":[{\"conv\":{\"taps\":2}},{\"linear\":{\"width\":2}}]}}";
static const float taps[4] = { 0.5f, 1, 0.25f, 1 };
static const float weight[4] = { 1, 2, 3, 4 };
static const float rows[6] = { 1, 10, 2, 20, 3, 30 };

static krait_tensor tensor(const char *name, const float *data, uint64_t a, uint64_t b)
{
    krait_tensor t = krait_tensor();

    t.name = name;
    t.data = data;
    t.bytes = a * b * sizeof *data;
    t.shape[0] = a;
    t.shape[1] = b;
    t.dimensions = 2;
    t.type = KRAIT_F32;
    return t;
}

static krait::input three_rows()
{
    krait::input in;

    in.steps = 3;
    in.features = rows;
    return in;
}

/* Calls that set a status: the same with and without exceptions. */
/* From the top folder, as all tests. */
static void with_tokenizer(krait::status &why)
{
    static const unsigned char json[] = { '{', '}' };
    krait::tokenizer           t = krait::tokenizer::open(json, krait::tokenizer_options(), why);
    std::vector<int32_t>       ids;

    CHECK(!t && why.code() == KRAIT_ERR_FORMAT);
    t = krait::tokenizer::open("tests/golden/tokens/cut.json", krait::tokenizer_options(), why);
    CHECK(t && !why);
    ids = t.encode("It's <|endoftext|>", KRAIT_TEXT_SPECIAL, why);
    CHECK(!why && ids.back() == 0);
    CHECK(t.decode(ids, KRAIT_TEXT_SPECIAL, why) == "It's <|endoftext|>" && !why);
    CHECK(t.decode(ids, 0, why) == "It's " && !why);
    ids[0] = -1;
    CHECK(t.decode(ids, 0, why).empty() && why.code() == KRAIT_ERR_ARGUMENT);
}

static void with_status(const krait_tensor (&tensors)[2])
{
    krait::status        why;
    krait::model         none = krait::model::open("no such file", krait::open_options(), why);
    std::vector<float>   y(2), z(6);
    krait::output        out;
    uint64_t             before = 0, after = 1;

    CHECK(why && why.code() == KRAIT_ERR_IO && std::strstr(why.text(), "no such file") && !none);
    krait::model model = krait::model::create(description, tensors, krait::open_options(), why);
    if (why) {
        std::printf("%s\n", why.text());
        failures++;
        return;
    }
    CHECK(model && !std::strcmp(why.text(), krait_status_text(KRAIT_OK)));
    CHECK(model.in_width() == 2 && model.out_width() == 2 && model.vocabulary() == 0 && model.can_step());
    CHECK(model.encode("text", 0, why).empty() && why.code() == KRAIT_ERR_UNSUPPORTED);

    krait::state_options options;
    options.chunk = 3;
    krait::state state(model, options, why), moved;
    CHECK(!why && state);
    CHECK(state.step(krait::span<const float>(rows, 2), y, why) && y[0] == 21 && y[1] == 43);
    CHECK(state.reset(0, why));
    out.rows = z.data();
    out.capacity = z.size();
    CHECK(state.run(three_rows(), out, why) && out.steps_done == 3 && z[0] == 21 && z[1] == 43 && z[4] != 63);
    CHECK(state.hash(before, why));
    std::vector<unsigned char> saved = state.save(0, why);
    CHECK(!why && !saved.empty() && state.data().size() > 0);
    CHECK(state.reset(KRAIT_ALL_LANES, why) && state.hash(after, why) && before != after);
    CHECK(state.load(saved, 0, why) && state.hash(after, why) && before == after);
    saved[saved.size() / 2] ^= 1;
    CHECK(!state.load(saved, 0, why) && why && why.text()[0]);

    krait::state other(model, options, why);
    CHECK(other.copy_from(state, why) && other.hash(after, why) && before == after);
    moved = std::move(state);
    CHECK(!state && moved && moved.hash(after, why) && before == after);
    krait::model elsewhere = std::move(model);
    moved.bind(elsewhere);
    CHECK(!model && elsewhere && moved.step(rows, nullptr, why));

    float               logits[3] = { 0, 5, 1 };
    krait::rng          random(1);
    CHECK(krait::sample(logits, krait::sample_options(), random, why) == 1 && !why);
    CHECK(!krait::convert("no such file", "nowhere", krait::convert_options(), why) && why.code() == KRAIT_ERR_IO);
    with_tokenizer(why);
}

#ifndef KRAIT_NO_EXCEPTIONS
template <class F> static krait_status thrown(F call)
{
    try {
        call();
    } catch (const krait::error &e) {
        CHECK(e.what()[0] != '\0');
        return e.code();
    }
    return KRAIT_OK;
}

static void with_exceptions(const krait_tensor (&tensors)[2])
{
    krait::model       model = krait::model::create(description, tensors);
    krait::state       state(model), one(model);
    std::vector<float> y(2);
    krait::output      out;

    state.step(rows, y);
    CHECK(y[0] == 21 && y[1] == 43);
    one.copy_from(state);
    CHECK(one.hash() == state.hash());
    state.reset();
    CHECK(one.hash() != state.hash());
    state.load(one.save());
    CHECK(one.hash() == state.hash());
    out.which = KRAIT_ROWS_LAST;
    out.rows = y.data();
    out.capacity = y.size();
    state.run(three_rows(), out);
    CHECK(out.steps_done == 3);
    CHECK(thrown([] { krait::model("no such file"); }) == KRAIT_ERR_IO);
    CHECK(thrown([] { krait::model(std::string("no such file")); }) == KRAIT_ERR_IO);
    CHECK(thrown([&] { krait::model::create("{", tensors); }) == KRAIT_ERR_FORMAT);
    CHECK(thrown([&] { krait::model::open(krait::span<const unsigned char>()); }) != KRAIT_OK);
    CHECK(thrown([&] { state.step(7, y); }) == KRAIT_ERR_ARGUMENT);
    CHECK(thrown([&] { state.reset(5); }) == KRAIT_ERR_ARGUMENT);
    CHECK(thrown([&] { state.load(std::vector<unsigned char>(7)); }) != KRAIT_OK);
    CHECK(thrown([&] { model.encode("text"); }) == KRAIT_ERR_UNSUPPORTED);
    CHECK(thrown([] { krait::convert("no such file", "nowhere"); }) == KRAIT_ERR_IO);
    CHECK(thrown([] { krait::tokenizer("no such file"); }) == KRAIT_ERR_IO);
    CHECK(krait::tokenizer("tests/golden/tokens/cut.json").encode("a").size() == 1);
}
#endif

int main()
{
    const krait_tensor tensors[2] = { tensor("0.weight", taps, 2, 2), tensor("1.weight", weight, 2, 2) };

    static_assert(sizeof(krait::model) == sizeof(krait_model *), "a handle costs what C's costs");
    with_status(tensors);
#ifndef KRAIT_NO_EXCEPTIONS
    with_exceptions(tensors);
#endif
    std::printf("krait.hpp over %s: %d failures\n", krait_version(), failures);
    return failures != 0;
}
