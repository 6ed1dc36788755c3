/*===- ModelABI.h - Contract of compiled models and the runtime --*- C -*-===*\
|*
|* Part of the llmopt project, under the Apache License v2.0 with LLVM
|* Exceptions. See LICENSE for licence information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Standalone: shared verbatim by the compiler, which writes these structures
|* into the library, and by the runtime, which reads them. Every structure has a
|* fixed layout, guarded by static assertions; any change raises
|* LLMOPT_ABI_VERSION.
|*
|* A library file is
|*
|*   [ELF shared object: code + descriptor]
|*   [zero padding to a multiple of LLMOPT_WEIGHTS_ALIGNMENT]
|*   [packed weights]
|*   [llmopt_footer]
|*
|* The runtime reads the footer first and checks everything that it names before
|* it lets the dynamic loader near the file. The ELF image exports one symbol,
|* LLMOPT_DESCRIPTOR_SYMBOL, an llmopt_model_descriptor.
|*
\*===----------------------------------------------------------------------===*/

#ifndef LLMOPT_MODELABI_H
#define LLMOPT_MODELABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define LLMOPT_STATIC_ASSERT(condition, message)                               \
  static_assert(condition, message)
#else
#define LLMOPT_STATIC_ASSERT(condition, message)                               \
  _Static_assert(condition, message)
#endif

enum {
  LLMOPT_ABI_VERSION = 4,
  LLMOPT_WEIGHTS_ALIGNMENT = 2 << 20, /* bytes: a huge page */
  LLMOPT_BUILD_ID_BYTES = 16,
  LLMOPT_PAGE_TOKENS = 64,  /* tokens of one KV cache page */
  LLMOPT_PANEL_ROWS = 16,   /* rows of one weight panel */
  LLMOPT_VECTOR_BYTES = 64, /* alignment of buffers, panels and slots */
  LLMOPT_MAX_RANK = 8       /* dimensions of a tensor */
};

#define LLMOPT_DESCRIPTOR_SYMBOL "llmopt_model"
#define LLMOPT_FOOTER_MAGIC "LLMOPTM" /* 8 bytes with the terminator */

/*===----------------------------------------------------------------------===*\
|* Calling generated code
\*===----------------------------------------------------------------------===*/

/* Consecutive activation rows that belong to one sequence. */
typedef struct llmopt_segment {
  uint32_t first_row; /* index of its first row among the rows of the call */
  uint32_t rows;      /* new tokens, at least 1 */
  uint32_t past;      /* tokens of the sequence that are in the cache already */
  uint32_t reserved;
  /* Page table of the sequence: pages[t / LLMOPT_PAGE_TOKENS] holds token t;
   * valid for past + rows tokens. */
  uint8_t *const *pages;
  /* NULL, or one byte per key position [past + rows]: 0 hides the key from
   * every query of the sequence. Causality is applied in any case. */
  const uint8_t *key_mask;
} llmopt_segment;

/* What one thread spent in the kernels of one class. */
typedef struct llmopt_kernel_counter {
  uint64_t calls;
  uint64_t ticks; /* of the CPU's time stamp counter */
} llmopt_kernel_counter;

/* Everything that one execution of the generated code sees. Owned by the
 * runtime, constant while the threads run. */
typedef struct llmopt_call {
  uint32_t threads;  /* number of threads that execute the entry */
  uint32_t rows;     /* activation rows (tokens) of this call, 1..capacity */
  uint32_t capacity; /* rows for which the arena was sized; a multiple of 16 */
  uint32_t segment_count;
  uint32_t logit_rows; /* number of rows whose logits are wanted, 0..rows */
  uint32_t reserved;
  const int64_t *tokens;    /* [rows], each in [0, vocabulary) */
  const int32_t *positions; /* [rows], each in [0, max_positions) */
  /* [segment_count], ascending first_row, covering all rows */
  const llmopt_segment *segments;
  const uint32_t *logit_row_index; /* [logit_rows], ascending */
  /* [logit_rows][llmopt_logit_stride(vocabulary)], written; aligned like a
   * float. What follows the vocabulary in a row has no meaning. */
  float *logits;
  /* activations: arena_bytes_per_row * capacity bytes, 64-byte aligned */
  uint8_t *arena;
  uint8_t *scratch; /* scratch_bytes for each thread, one after the other */
  const uint8_t *weights; /* packed weights, 64-byte aligned */
  /* Waits until all threads of the call have arrived; what each wrote before is
   * visible to all after. */
  void (*barrier)(struct llmopt_call *call, uint32_t thread);
  /* [threads][llmopt_variant.kernel_count], for code with time stamps only */
  llmopt_kernel_counter *counters;
  void *runtime_state; /* not for generated code */
} llmopt_call;

/* Floats from one row of llmopt_call.logits to the next: a multiple of 16. */
static inline uint32_t llmopt_logit_stride(uint32_t vocabulary) {
  return (vocabulary + 15) / 16 * 16;
}

/* Executed by every thread of the call, thread = 0..threads-1. */
typedef void (*llmopt_entry)(llmopt_call *call, uint32_t thread);

/*===----------------------------------------------------------------------===*\
|* Graphs
|*
|* A model that is no decoder is one function of its inputs. Its entry is
|* executed by one thread, which hands loops to the others; shapes are computed
|* by the code itself, memory comes from the runtime.
\*===----------------------------------------------------------------------===*/

/* A dense row-major tensor. */
typedef struct llmopt_graph_tensor {
  void *data;
  int64_t dims[LLMOPT_MAX_RANK]; /* as many as the signature's rank says */
} llmopt_graph_tensor;

/* Iterations [begin, end) of a loop; `context` is the entry's. */
typedef void (*llmopt_loop_body)(void *context, uint64_t begin, uint64_t end);

typedef struct llmopt_graph_call {
  const uint8_t *weights; /* packed weights, 64-byte aligned */
  /* [input_count]: types, ranks and fixed dimensions have been checked */
  const llmopt_graph_tensor *inputs;
  /* [output_count], written: dims, and data from `allocate`, which the runtime
   * owns from then on. */
  llmopt_graph_tensor *outputs;
  /* Executes body for all iterations [0, count), split among the threads, and
   * waits for them. Pieces begin at multiples of `grain` and, but for the last,
   * end at one: what a body does for `grain` consecutive iterations does not
   * depend on the number of threads. */
  void (*parallel)(struct llmopt_graph_call *call, llmopt_loop_body body,
                   void *context, uint64_t count, uint64_t grain);
  /* 64-byte aligned memory with undefined contents, at least one vector of
   * LLMOPT_VECTOR_BYTES more than asked for; does not return when there is
   * none. */
  void *(*allocate)(struct llmopt_graph_call *call, uint64_t bytes);
  /* Gives memory of `allocate` back; what is not given back is freed when the
   * execution ends. */
  void (*release)(struct llmopt_graph_call *call, void *data);
  /* Ends the execution with a message; does not return. Not in loop bodies. */
  void (*fail)(struct llmopt_graph_call *call, const char *message);
  /* NULL, or set by loop bodies, by any thread, to what went wrong. The runtime
   * looks at it when a loop is done and then ends the execution. */
  const char *loop_error;
  uint32_t threads; /* that loops are split among */
  uint32_t reserved;
  void *runtime_state; /* not for generated code */
} llmopt_graph_call;

typedef void (*llmopt_graph_entry)(llmopt_graph_call *call);

/*===----------------------------------------------------------------------===*\
|* KV cache pages
|*
|* A page holds LLMOPT_PAGE_TOKENS tokens of one sequence, of all layers:
|*
|*   page[layers][kv_heads][2][llmopt_page_part_bytes]
|*
|* [0] are the keys, after the rotary embedding, [1] the values. Keys are
|* transposed: a vector holds the same components of many keys.
|*
|*              keys                          values
|*   f32   [head_dim][token]             [token][head_dim]
|*   bf16  [head_dim / 2][token][2]      [token][head_dim / 2][2]
|*   int8  [head_dim / 4][token][4]      [token / 4][head_dim][token % 4]
|*         float scale[token]            float scale[token]
|*
|* A pair of bf16 holds components i and i + head_dim / 2. Codes of int8 are
|* stored with +128, in [1, 255]: component = (code - 128) * scale.
|* Slots past the end of the sequence hold zeros or what a rewound token left.
\*===----------------------------------------------------------------------===*/

typedef enum llmopt_kv_format {
  LLMOPT_KV_F32 = 0,
  LLMOPT_KV_BF16 = 1,
  LLMOPT_KV_INT8 = 2 /* a scale per token and head */
} llmopt_kv_format;

/* Bytes of the keys, or the values, of one layer and head in a page. */
static inline uint64_t llmopt_page_part_bytes(int32_t kv_format,
                                              uint32_t head_dim) {
  switch (kv_format) {
  case LLMOPT_KV_BF16:
    return (uint64_t)head_dim * LLMOPT_PAGE_TOKENS * 2;
  case LLMOPT_KV_INT8:
    return ((uint64_t)head_dim + 4) * LLMOPT_PAGE_TOKENS;
  default:
    return (uint64_t)head_dim * LLMOPT_PAGE_TOKENS * 4;
  }
}

/* Bytes from the start of a page to the keys of a layer and head; the values
 * follow them. */
static inline uint64_t llmopt_page_offset(int32_t kv_format, uint32_t kv_heads,
                                          uint32_t head_dim, uint32_t layer,
                                          uint32_t head) {
  return ((uint64_t)layer * kv_heads + head) * 2 *
         llmopt_page_part_bytes(kv_format, head_dim);
}

/* Bytes of one page. */
static inline uint64_t llmopt_page_bytes(int32_t kv_format, uint32_t layers,
                                         uint32_t kv_heads, uint32_t head_dim) {
  return llmopt_page_offset(kv_format, kv_heads, head_dim, layers, 0);
}

/*===----------------------------------------------------------------------===*\
|* Descriptor
\*===----------------------------------------------------------------------===*/

/* Elements of less than 8 bits take a byte each, in its low bits (signed
 * integers: sign-extended); a bool is a byte, 0 or 1. */
typedef enum llmopt_element_type {
  LLMOPT_F32 = 1,
  LLMOPT_I64 = 2,
  LLMOPT_I32 = 3,
  LLMOPT_BOOL = 4,
  LLMOPT_I8 = 5,
  LLMOPT_U8 = 6,
  LLMOPT_I16 = 7,
  LLMOPT_U16 = 8,
  LLMOPT_U32 = 9,
  LLMOPT_U64 = 10,
  LLMOPT_F16 = 11,
  LLMOPT_BF16 = 12,
  LLMOPT_F64 = 13,
  LLMOPT_I4 = 14,
  LLMOPT_U4 = 15,
  LLMOPT_I2 = 16,
  LLMOPT_U2 = 17,
  LLMOPT_F8E4M3FN = 18,
  LLMOPT_F8E4M3FNUZ = 19,
  LLMOPT_F8E5M2 = 20,
  LLMOPT_F8E5M2FNUZ = 21,
  LLMOPT_F8E8M0 = 22,
  LLMOPT_F4E2M1 = 23
} llmopt_element_type;

/* Bytes of an element in a buffer; 0 for an unknown type. */
static inline uint32_t llmopt_element_bytes(int32_t element_type) {
  switch (element_type) {
  case LLMOPT_I64:
  case LLMOPT_U64:
  case LLMOPT_F64:
    return 8;
  case LLMOPT_F32:
  case LLMOPT_I32:
  case LLMOPT_U32:
    return 4;
  case LLMOPT_I16:
  case LLMOPT_U16:
  case LLMOPT_F16:
  case LLMOPT_BF16:
    return 2;
  default:
    return element_type >= LLMOPT_BOOL && element_type <= LLMOPT_F4E2M1 ? 1 : 0;
  }
}

/* What an input or output of the ONNX signature means to a decoder; signatures
 * of graph models have LLMOPT_ROLE_NONE only. */
typedef enum llmopt_role {
  LLMOPT_ROLE_NONE = 0,   /* any tensor of a graph model */
  LLMOPT_ROLE_TOKENS = 1, /* input: [batch, sequence] token ids */
  LLMOPT_ROLE_MASK = 2,   /* input: [batch, past + sequence], 1 keeps a key */
  LLMOPT_ROLE_POSITIONS = 3, /* input: [batch, sequence] */
  /* input (past) or output (present): [batch, kv_heads, tokens, head_dim] */
  LLMOPT_ROLE_KEY = 4,
  LLMOPT_ROLE_VALUE = 5,
  LLMOPT_ROLE_LOGITS = 6 /* output: [batch, sequence, vocabulary] */
} llmopt_role;

/* Where the exporter's attention mask puts padding. */
typedef enum llmopt_padding {
  LLMOPT_PADDING_NONE = 0, /* no mask input: all rows of a batch are full */
  /* any key may be hidden; new keys are appended after all past keys */
  LLMOPT_PADDING_LEFT = 1,
  /* only the count of each row matters: past = count - sequence, or 0 when no
   * past is given */
  LLMOPT_PADDING_RIGHT = 2
} llmopt_padding;

enum { LLMOPT_DYNAMIC = -1 };

typedef struct llmopt_tensor_descriptor {
  const char *name;
  int32_t element_type; /* llmopt_element_type */
  int32_t role;         /* llmopt_role */
  int32_t layer;        /* of keys and values, else 0 */
  int32_t rank;
  int64_t dims[LLMOPT_MAX_RANK]; /* LLMOPT_DYNAMIC where the signature leaves it
                                    open */
} llmopt_tensor_descriptor;

/* One packed weight. Offsets count from the start of the packed weights. */
typedef struct llmopt_weight_descriptor {
  const char *name;
  const char *format; /* such as "int8/channel/bitmask" */
  uint64_t rows, columns;
  uint64_t offset, bytes;
  uint64_t zeros;    /* weights that are exactly zero */
  uint64_t checksum; /* llmopt_checksum of its bytes */
} llmopt_weight_descriptor;

/* CPU features that a variant needs; the runtime compares them with the
 * machine. */
typedef enum llmopt_cpu_feature {
  /* AVX2, FMA, F16C, BMI1, BMI2, POPCNT, LZCNT: x86-64-v3 */
  LLMOPT_CPU_AVX2 = 1 << 0,
  LLMOPT_CPU_AVX512 = 1 << 1, /* F, BW, VL, DQ, CD: x86-64-v4 */
  LLMOPT_CPU_AVX512_VNNI = 1 << 2,
  LLMOPT_CPU_AVX512_VBMI = 1 << 3,
  LLMOPT_CPU_AVX512_VBMI2 = 1 << 4,
  LLMOPT_CPU_AVX512_BF16 = 1 << 5
} llmopt_cpu_feature;

typedef enum llmopt_kernel_flag {
  /* Executed by calls of one row; without it, by all others. */
  LLMOPT_KERNEL_ONE_ROW = 1 << 0,
  LLMOPT_KERNEL_LOGITS = 1 << 1, /* covers the rows whose logits are wanted */
  LLMOPT_KERNEL_INT8 = 1 << 2, /* multiplies int8 activations by int8 weights */
  LLMOPT_KERNEL_BF16 = 1 << 3  /* multiplies bf16 numbers */
} llmopt_kernel_flag;

/* Kernels of one kind and size, and what one execution of all of them costs.
 * Weights and rows outside of products count once, whatever a cache holds. */
typedef struct llmopt_kernel_class {
  const char *label; /* such as "linear add 576x1536 int8 g64" */
  uint32_t calls;    /* kernels of this class in one execution */
  uint32_t flags;    /* llmopt_kernel_flag */
  uint64_t weight_bytes;
  uint64_t row_operations; /* multiplications and additions per row */
  /* of the cache, per token of the sequence; 0 where a window limits it */
  uint64_t key_cache_bytes;
} llmopt_kernel_class;

/* The same model compiled for one instruction set. */
typedef struct llmopt_variant {
  const char *cpu;              /* name given to -mcpu, such as "znver4" */
  const char *isa;              /* kernels in use: "avx512vnni" or "avx2" */
  uint64_t features;            /* llmopt_cpu_feature bits that it needs */
  uint64_t arena_bytes_per_row; /* arena = this * capacity */
  uint64_t scratch_bytes;       /* per thread, a multiple of 64 */
  llmopt_entry forward;         /* of a decoder, else NULL */
  llmopt_graph_entry graph;     /* of a graph, else NULL */
  uint32_t kernel_count;        /* of a decoder, else 0 */
  uint32_t has_time_stamps;     /* not 0: writes llmopt_call.counters */
  const llmopt_kernel_class *kernels;
} llmopt_variant;

typedef enum llmopt_model_kind {
  LLMOPT_KIND_DECODER = 1, /* llmopt_step and llmopt_run */
  LLMOPT_KIND_GRAPH = 2    /* llmopt_run only */
} llmopt_model_kind;

/* Variants are ordered, best first. */
typedef struct llmopt_model_descriptor {
  uint32_t abi_version;
  uint32_t struct_bytes; /* sizeof(llmopt_model_descriptor) */
  uint8_t build_id[LLMOPT_BUILD_ID_BYTES];
  const char *producer; /* "llmopt 0.1.0" */
  const char *model_name;
  uint64_t weights_bytes;
  uint64_t parameters;

  int32_t kind; /* llmopt_model_kind */
  /* Of decoders, else 0. */
  uint32_t layers, heads, kv_heads, head_dim, vocabulary;
  uint32_t max_positions; /* rows of the rotary table: bound of positions in any
                             call */
  uint32_t max_sequence, max_batch; /* bounds of step sessions */
  int32_t padding;                  /* llmopt_padding */
  int32_t kv_format;                /* llmopt_kv_format */

  uint32_t input_count, output_count, weight_count, variant_count;
  uint32_t reserved;
  const llmopt_tensor_descriptor *inputs, *outputs;
  const llmopt_weight_descriptor *weights;
  const llmopt_variant *variants;
  const char *report; /* JSON text as written by -report, or NULL */
} llmopt_model_descriptor;

/*===----------------------------------------------------------------------===*\
|* Footer and checksum
\*===----------------------------------------------------------------------===*/

/* The last bytes of the file. */
typedef struct llmopt_footer {
  char magic[8]; /* LLMOPT_FOOTER_MAGIC */
  uint32_t abi_version;
  uint32_t footer_bytes; /* sizeof(llmopt_footer) */
  uint64_t file_bytes;
  uint64_t code_bytes;     /* size of the ELF image, at offset 0 */
  uint64_t weights_offset; /* a multiple of LLMOPT_WEIGHTS_ALIGNMENT */
  uint64_t weights_bytes;
  uint8_t build_id[LLMOPT_BUILD_ID_BYTES]; /* equal to the descriptor's */
  uint64_t code_checksum; /* llmopt_checksum of the ELF image */
  /* llmopt_checksum of all the bytes before this field */
  uint64_t footer_checksum;
} llmopt_footer;

/* 64-bit checksum of a block: FNV-1a over 8-byte little-endian words with a
 * final avalanche, the tail padded with zeros and the length mixed in. Guards
 * against damage, not against an adversary. */
static inline uint64_t llmopt_checksum(const void *data, uint64_t bytes) {
  const uint8_t *p = (const uint8_t *)data;
  uint64_t h = 0xcbf29ce484222325ull ^ bytes;
  uint64_t i, word;
  unsigned j;
  for (i = 0; i + 8 <= bytes; i += 8) {
    word = 0;
    for (j = 0; j < 8; ++j)
      word |= (uint64_t)p[i + j] << (8 * j);
    h = (h ^ word) * 0x100000001b3ull;
    h ^= h >> 29;
  }
  word = 0;
  for (j = 0; i + j < bytes; ++j)
    word |= (uint64_t)p[i + j] << (8 * j);
  h = (h ^ word) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 32);
}

LLMOPT_STATIC_ASSERT(sizeof(void *) == 8,
                     "llmopt supports 64-bit targets only");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_segment) == 32, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_call) == 112, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_tensor_descriptor) == 88, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_weight_descriptor) == 64, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_variant) == 72, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_kernel_counter) == 16, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_kernel_class) == 40, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_graph_tensor) == 72, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_graph_call) == 80, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_model_descriptor) == 160, "ABI");
LLMOPT_STATIC_ASSERT(sizeof(llmopt_footer) == 80, "ABI");

#ifdef __cplusplus
}
#endif

#endif /* LLMOPT_MODELABI_H */
