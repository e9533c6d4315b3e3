/*
 * audio_stream.c - listens to sound in blocks of 10 ms and says which spoken digit it is, more surely with every block.
 *
 *     audio_stream [--model MODEL] FILE ...       FILE is a WAV, or - for raw samples from standard input
 *
 *     examples/audio/digit-3.wav
 *       0.10 s  2 (25 %), 5 (17 %), 6 (13 %)
 *       0.20 s  3 (80 %), 6 (11 %)
 *       0.30 s  3 (97 %)
 *       0.33 s  3 (95 %)
 *     3: 0.33 s of sound in 7.2 ms, 46 times faster than real time; the slowest block took 0.32 ms of its 10.00
 *
 * Sound is mono, 16 bits, little-endian, at the rate that the model was trained with (8000 Hz):
 *
 *     arecord -q -f S16_LE -r 8000 -d 1 | audio_stream -
 *
 * The model is causal and its last pool averages over all that it has heard, so every row of its output is the
 * verdict so far.  Nothing is allocated while sound comes in.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "krait.h"

enum { BLOCK_MS = 10, REPORT_MS = 100, MOST_BLOCK = 480, MOST_CLASSES = 64, MOST_NAME = 32 };

struct listener {
    krait_model *model;
    krait_state *state;
    long         rate, block;                   /* samples a second, and of a block */
    size_t       classes;
    char         names[MOST_CLASSES][MOST_NAME];
};

struct sound {
    FILE       *file;
    const char *path;
    long long   left;                           /* bytes of samples to come; -1: until the file ends */
};

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "audio_stream: %s: %s\n", path, what);
    return 0;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- WAV: RIFF, size, WAVE, then chunks of a name, a size and as many bytes, padded to an even number ---- */

static unsigned long little(const unsigned char *bytes, int count)
{
    unsigned long value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

/* Pipes cannot seek. */
static int skip(FILE *file, unsigned long long bytes)
{
    char   away[4096];
    size_t part;

    while (bytes) {
        part = bytes < sizeof away ? (size_t)bytes : sizeof away;
        if (fread(away, 1, part, file) != part)
            return 0;
        bytes -= part;
    }
    return 1;
}

/* The chunk "fmt ": is it the sound that the model wants? */
static int read_format(const struct sound *sound, unsigned long size, long rate)
{
    unsigned char f[16];
    char          what[160];
    unsigned long kind, channels, bits, theirs;

    if (size < 16 || fread(f, 1, 16, sound->file) != 16
        || !skip(sound->file, (unsigned long long)size - 16 + (size & 1)))
        return complain(sound->path, "has a broken format chunk");
    kind = little(f, 2);
    channels = little(f + 2, 2);
    theirs = little(f + 4, 4);
    bits = little(f + 14, 2);
    if ((kind == 1 || kind == 0xFFFE) && channels == 1 && bits == 16 && theirs == (unsigned long)rate)
        return 1;
    sprintf(what, "is %lu Hz, %lu channels, %lu bits, kind %lu; %ld Hz, 1 channel, 16 bits, PCM are wanted", theirs,
            channels, bits, kind, rate);
    return complain(sound->path, what);
}

/* Reads up to the first sample. */
static int open_wav(struct sound *sound, long rate)
{
    unsigned char head[12];
    unsigned long size;
    int           format = 0;

    if (fread(head, 1, 12, sound->file) != 12 || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0)
        return complain(sound->path, "is no WAV");
    for (;;) {
        if (fread(head, 1, 8, sound->file) != 8)
            return complain(sound->path, "ends before its samples");
        size = little(head + 4, 4);
        if (memcmp(head, "data", 4) == 0)
            break;
        if (memcmp(head, "fmt ", 4) == 0) {
            if (!read_format(sound, size, rate))
                return 0;
            format = 1;
        } else if (!skip(sound->file, (unsigned long long)size + (size & 1))) {
            return complain(sound->path, "ends before its samples");
        }
    }
    if (!format)
        return complain(sound->path, "has samples before their format");
    sound->left = size >= 0x7FFF0000UL ? -1 : (long long)size;     /* what writers into a pipe put there */
    return 1;
}

/* Up to 'most' samples from -1 to 1; 0 at the end, -1 after a complaint. */
static long read_block(struct sound *sound, float *samples, long most)
{
    unsigned char bytes[2 * MOST_BLOCK];
    size_t        want = 2 * (size_t)most, got;
    long          i, value;

    if (sound->left >= 0 && sound->left < (long long)want)
        want = (size_t)sound->left & ~(size_t)1;
    got = fread(bytes, 1, want, sound->file);
    if (ferror(sound->file) || (sound->left >= 0 && got != want)) {
        complain(sound->path, ferror(sound->file) ? "cannot be read" : "ends before its last sample");
        return -1;
    }
    if (sound->left >= 0)
        sound->left -= (long long)got;
    for (i = 0; i < (long)got / 2; i++) {
        value = (long)little(bytes + 2 * i, 2);
        samples[i] = (float)(value < 32768 ? value : value - 65536) / 32768.0f;
    }
    return (long)got / 2;
}

/* ---- what the model says ---- */

/* Logits, or logarithms of probabilities, become probabilities; returns the most likely class. */
static size_t softmax(float *row, size_t count)
{
    float  greatest;
    double sum = 0;
    size_t best = 0, i;

    for (i = 1; i < count; i++)
        best = row[i] > row[best] ? i : best;
    greatest = row[best];
    for (i = 0; i < count; i++)
        sum += exp(row[i] - greatest);
    for (i = 0; i < count; i++)
        row[i] = (float)(exp(row[i] - greatest) / sum);
    return best;
}

/* The three likeliest, as far as they have 5 %. */
static void print_evidence(const struct listener *l, double seconds, const float *probabilities)
{
    float  p[MOST_CLASSES];
    size_t best, i, rank;

    memcpy(p, probabilities, l->classes * sizeof *p);
    printf("  %.2f s", seconds);
    for (rank = 0; rank < 3; rank++) {
        for (best = 0, i = 1; i < l->classes; i++)
            best = p[i] > p[best] ? i : best;
        if (rank && p[best] < 0.05f)
            break;
        printf("%s %s (%.0f %%)", rank ? "," : " ", l->names[best], 100 * (double)p[best]);
        p[best] = -1;
    }
    putchar('\n');
    fflush(stdout);
}

static int hear(const struct listener *l, struct sound *sound)
{
    float        samples[MOST_BLOCK], row[MOST_CLASSES];
    krait_input  input = { 0 };
    krait_output output = { 0 };
    double       busy = 0, worst = 0, from, took, heard;
    long         count, all = 0, report = l->rate * REPORT_MS / 1000, next = report;
    size_t       best = 0;

    input.size = sizeof input;
    input.features = samples;
    output.size = sizeof output;
    output.rows = row;
    output.capacity = MOST_CLASSES;
    output.which = KRAIT_ROWS_LAST;
    krait_state_reset(l->model, l->state, KRAIT_ALL_LANES);
    while ((count = read_block(sound, samples, l->block)) > 0) {
        input.steps = (size_t)count;
        from = now();
        if (krait_run(l->model, l->state, &input, &output, NULL) != KRAIT_OK)
            return complain(sound->path, "the model cannot be run");
        took = now() - from;
        busy += took;
        worst = took > worst ? took : worst;
        all += count;
        best = softmax(row, l->classes);
        if (all >= next || count < l->block) {
            print_evidence(l, (double)all / (double)l->rate, row);
            next += report;
        }
    }
    if (count < 0 || all == 0)
        return count < 0 ? 0 : complain(sound->path, "has no samples");
    heard = (double)all / (double)l->rate;
    printf("%s: %.2f s of sound in %.1f ms, %.0f times faster than real time; the slowest block took %.2f ms of its %d.00\n",
           l->names[best], heard, 1e3 * busy, heard / busy, 1e3 * worst, BLOCK_MS);
    return 1;
}

static int hear_path(const struct listener *l, const char *path)
{
    struct sound sound = { NULL, NULL, -1 };
    int          raw = strcmp(path, "-") == 0, good;

    sound.path = raw ? "standard input" : path;
    sound.file = raw ? stdin : fopen(path, "rb");
    if (!sound.file)
        return complain(path, strerror(errno));
    puts(sound.path);
    good = (raw || open_wav(&sound, l->rate)) && hear(l, &sound);
    if (!raw)
        fclose(sound.file);
    return good;
}

/* ---- the model ---- */

/* "a,b,c" of the file's metadata; numbers where it names none. */
static int name_classes(struct listener *l)
{
    const char *text = krait_model_text(l->model, "classes");
    size_t      i, length;

    for (i = 0; i < l->classes; i++) {
        sprintf(l->names[i], "%u", (unsigned)i);
        if (text) {
            length = strcspn(text, ",");
            if (length == 0 || length >= MOST_NAME || (text[length] == ',') != (i + 1 < l->classes))
                return 0;
            memcpy(l->names[i], text, length);
            l->names[i][length] = 0;
            text += length + (text[length] == ',');
        }
    }
    return 1;
}

static int open_listener(struct listener *l, const char *path)
{
    krait_state_options options = { 0 };
    krait_message       why;
    const char         *rate;
    int64_t             in, out, steps;

    if (krait_model_open(&l->model, path, NULL, &why) != KRAIT_OK) {
        fprintf(stderr, "audio_stream: %s\n", why.text);
        return 0;
    }
    krait_model_get(l->model, KRAIT_IN_WIDTH, &in);
    krait_model_get(l->model, KRAIT_OUT_WIDTH, &out);
    krait_model_get(l->model, KRAIT_CAN_STEP, &steps);
    rate = krait_model_text(l->model, "sample_rate");
    l->rate = rate ? strtol(rate, NULL, 10) : 8000;
    l->block = l->rate * BLOCK_MS / 1000;
    l->classes = (size_t)out;
    if (in != 1 || !steps || out < 2 || out > MOST_CLASSES || l->rate < 1000 || l->block > MOST_BLOCK
        || !name_classes(l))
        return complain(path, "is no classifier of sound that can run along with it");
    options.size = sizeof options;
    options.chunk = (uint32_t)l->block;
    if (krait_state_create(&l->state, l->model, &options, NULL) != KRAIT_OK)
        return complain(path, "no memory");
    return 1;
}

static const char usage[] =
    "usage: audio_stream [--model MODEL] FILE ...\n"
    "\n"
    "Says which digit is spoken, in blocks of 10 ms: what is likely so far after every\n"
    "100 ms, and at the end how long that took.\n"
    "\n"
    "  FILE           a WAV: PCM, 16 bits, mono, 8000 Hz\n"
    "  -              raw samples of that kind from standard input\n"
    "  --model MODEL  another model of one input (default:\n"
    "                 examples/models/s4d-digits.safetensors); its metadata may name\n"
    "                 \"sample_rate\" and \"classes\"\n"
    "  --help         this text\n"
    "\n"
    "Ends with 0 if every FILE could be heard, 1 if not, 2 for wrong arguments.\n";

int main(int argc, char **argv)
{
    static struct listener l;
    const char            *path = "examples/models/s4d-digits.safetensors";
    int                    i = 1, good;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "--model") == 0) {
        path = argv[2];
        i = 3;
    }
    if (i >= argc || (argv[i][0] == '-' && argv[i][1])) {
        fputs(usage, stderr);
        return 2;
    }
    good = open_listener(&l, path);
    for (; l.state && i < argc; i++)
        good &= hear_path(&l, argv[i]);
    krait_state_destroy(l.state, NULL);
    krait_model_close(l.model);
    return !good;
}
