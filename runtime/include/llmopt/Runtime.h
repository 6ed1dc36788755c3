/*===- Runtime.h - Run compiled models (C interface) -------------*- C -*-===*\
|*
|* Part of the llmopt project, under the Apache License v2.0 with LLVM
|* Exceptions. See LICENSE for licence information.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* Opens libraries written by llmopt-compile and executes them:
|*
|*   llmopt_model *model = NULL;
|*   llmopt_session *session = NULL;
|*   if (llmopt_open("model.so", NULL, &model) ||
|*       llmopt_session_create(model, NULL, &session))
|*     fprintf(stderr, "%s\n", llmopt_last_error());
|*   llmopt_piece piece = {.tokens = prompt, .count = 5, .want =
LLMOPT_WANT_LAST};
|*   if (!llmopt_step(session, &piece, 1))
|*     next = argmax(piece.logits, llmopt_info(model)->vocabulary);
|*
|* Every function that can fail returns a status; llmopt_last_error then says
|* what happened and what to do. No function crashes on null pointers or on
|* sizes out of range. A model may be used from many threads; a session by one
|* at a time. Structures with a struct_size field are set up by
|* `= {.struct_size = sizeof(T)}`: zero in every other field is the default.
|*
\*===----------------------------------------------------------------------===*/

#ifndef LLMOPT_RUNTIME_H
#define LLMOPT_RUNTIME_H

#include "llmopt/ModelABI.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LLMOPT_API __attribute__((visibility("default")))

/** An open model: code, weights and the threads that execute it. */
typedef struct llmopt_model llmopt_model;
/** Sequences in progress on a model: KV cache and buffers. Of a graph model:
 * buffers alone. */
typedef struct llmopt_session llmopt_session;

/** Result of a call. */
typedef enum llmopt_status {
  LLMOPT_OK = 0,
  LLMOPT_INVALID_ARGUMENT = 1, /* null pointer, unknown value, wrong count */
  LLMOPT_CANNOT_READ = 2,      /* missing, unreadable or not a regular file */
  LLMOPT_NOT_A_MODEL = 3,      /* no footer: another kind of file, or cut off */
  LLMOPT_DAMAGED_FOOTER = 4,   /* footer checksum */
  LLMOPT_ABI_MISMATCH = 5,     /* made for another version of the runtime */
  LLMOPT_TRUNCATED = 6,        /* sizes in the footer and of the file differ */
  LLMOPT_DAMAGED_CODE = 7,     /* code checksum */
  LLMOPT_BAD_ELF = 8,          /* code is not a shared object of this machine */
  LLMOPT_LOAD_FAILED = 9,      /* refused by the dynamic loader */
  LLMOPT_BAD_DESCRIPTOR = 10,  /* descriptor missing or inconsistent */
  LLMOPT_BUILD_ID_MISMATCH = 11, /* code and footer are of different builds */
  LLMOPT_UNSUPPORTED_CPU = 12,  /* no variant, or not the forced one, can run */
  LLMOPT_UNKNOWN_VARIANT = 13,  /* forced variant is not in the library */
  LLMOPT_DAMAGED_WEIGHTS = 14,  /* checksum of a weight */
  LLMOPT_OUT_OF_RESOURCES = 15, /* memory or threads */
  LLMOPT_OUT_OF_RANGE = 16,     /* token, position or sequence number */
  LLMOPT_CONTEXT_FULL = 17,     /* sequence would exceed max_sequence */
  LLMOPT_BAD_TENSOR = 18,       /* type or shape of a tensor of llmopt_run */
  LLMOPT_BUFFER_TOO_SMALL =
      19,           /* the message and the shape say what is needed */
  LLMOPT_BUSY = 20, /* session in use by another thread */
  LLMOPT_EXECUTION_FAILED = 21 /* a graph refuses what its inputs hold */
} llmopt_status;

/*===----------------------------------------------------------------------===*\
|* Models
\*===----------------------------------------------------------------------===*/

/** Where the packed weights live while a model runs. */
typedef enum llmopt_weights_mode {
  LLMOPT_WEIGHTS_AUTO = 0, /* copy if it fits memory_budget, else map */
  LLMOPT_WEIGHTS_MAP = 1,  /* use the mapped file: shared between processes */
  LLMOPT_WEIGHTS_COPY = 2  /* copy to huge pages for the first session */
} llmopt_weights_mode;

/** Options of llmopt_open. */
typedef struct llmopt_open_options {
  size_t struct_size;
  /** Variant to use, by its isa ("avx2") or cpu ("znver4") name. NULL: the
   * environment variable LLMOPT_ISA if set, else the best that can run. */
  const char *isa;
  /** Threads of an entry, the caller included. 0: one per core available to the
   * process. */
  uint32_t threads;
  /** CPU numbers; thread i >= 1 is bound to affinity[i % affinity_count]. The
   * caller, thread 0, is never moved. Copied. */
  const uint32_t *affinity;
  size_t affinity_count;
  int32_t weights;        /**< llmopt_weights_mode */
  int32_t verify_weights; /**< not 0: check each weight's checksum at open */
  /** Bytes that a copy of the weights may take. 0: half of the memory that the
   * system has available. */
  uint64_t memory_budget;
} llmopt_open_options;

/** Facts about an open model. Valid until llmopt_close, as are all pointers. */
typedef struct llmopt_model_info {
  size_t struct_size;
  const char *producer, *name;
  const char *cpu, *isa;      /**< variant in use */
  const char *variant_reason; /**< why this variant: one line */
  uint32_t threads;
  uint32_t layers, heads, kv_heads, head_dim, vocabulary;
  uint32_t max_positions, max_sequence, max_batch;
  int32_t padding; /**< llmopt_padding */
  uint32_t input_count, output_count;
  /** Signature of llmopt_run. */
  const llmopt_tensor_descriptor *inputs, *outputs;
  uint64_t parameters, weights_bytes, file_bytes;
  /** Tables of the library: weights, variants, report. */
  const llmopt_model_descriptor *descriptor;
  int32_t kind; /**< llmopt_model_kind; of graphs layers to padding are 0 */
  const llmopt_variant *variant; /**< in use: its kernels, buffer sizes */
} llmopt_model_info;

/** Opens the library at `path`. Nothing of the file is executed before its
 * footer, sizes, code checksum and ELF header have been checked.
 * @param options NULL for defaults.
 * @param model   receives the handle, to be released by llmopt_close; NULL on
 * error. */
LLMOPT_API llmopt_status llmopt_open(const char *path,
                                     const llmopt_open_options *options,
                                     llmopt_model **model);

/** Releases a model. Its sessions stay usable; it is freed with the last one.
 * NULL is ignored. */
LLMOPT_API void llmopt_close(llmopt_model *model);

/** Facts about `model`; NULL if `model` is NULL. */
LLMOPT_API const llmopt_model_info *llmopt_info(const llmopt_model *model);

/** Checks the checksum of every weight in the file; LLMOPT_DAMAGED_WEIGHTS
 * names the first one that differs. */
LLMOPT_API llmopt_status llmopt_verify_weights(llmopt_model *model);

/*===----------------------------------------------------------------------===*\
|* Sessions
\*===----------------------------------------------------------------------===*/

/** Options of llmopt_session_create. */
typedef struct llmopt_session_options {
  size_t struct_size;
  uint32_t max_batch; /**< sequences, at most the model's; 0: the model's */
  uint32_t
      max_sequence; /**< tokens of one, at most the model's; 0: the model's */
  /** Rows (tokens) computed at once; longer input is cut into chunks. Rounded
   * up to a multiple of 16. Smaller needs less memory and is slower. 0: 512. */
  uint32_t max_rows;
} llmopt_session_options;

/** Creates a session with empty sequences 0..max_batch-1. All memory that
 * llmopt_step needs is set up here; cache pages are committed as they are used.
 * @param options NULL for defaults.
 * @param session receives the handle, to be released by llmopt_session_destroy;
 * NULL on error. */
LLMOPT_API llmopt_status llmopt_session_create(
    llmopt_model *model, const llmopt_session_options *options,
    llmopt_session **session);

/** Releases a session. NULL is ignored. */
LLMOPT_API void llmopt_session_destroy(llmopt_session *session);

/** Which logits of a piece are wanted. */
typedef enum llmopt_want {
  LLMOPT_WANT_NONE = 0,
  LLMOPT_WANT_LAST = 1, /* of the last token: one row */
  LLMOPT_WANT_ALL = 2   /* of every token: count rows */
} llmopt_want;

/** New tokens of one sequence. */
typedef struct llmopt_piece {
  uint32_t sequence;     /**< 0..max_batch-1, at most once in a step */
  int32_t want;          /**< llmopt_want */
  const int32_t *tokens; /**< [count], each in [0, vocabulary) */
  size_t count;          /**< at least 1 */
  /** Caller's buffer for the logits, or NULL: the session owns them. */
  float *buffer;
  size_t buffer_floats; /**< capacity of `buffer` */
  /** Set by the call: [rows][vocabulary], or NULL if none are wanted. In the
   * session's memory valid until its next call. */
  const float *logits;
  size_t logit_rows; /**< set by the call */
} llmopt_piece;

/** Appends the tokens of each piece to its sequence and computes logits, all
 * pieces in one ragged pass. On error the session is unchanged. */
LLMOPT_API llmopt_status llmopt_step(llmopt_session *session,
                                     llmopt_piece *pieces, size_t count);

/** Tokens that `sequence` holds; 0 for a bad handle or number. */
LLMOPT_API size_t llmopt_length(const llmopt_session *session,
                                uint32_t sequence);

/** Shortens a sequence to its first `position` tokens; 0 empties it. An error
 * if it has fewer. */
LLMOPT_API llmopt_status llmopt_truncate(llmopt_session *session,
                                         uint32_t sequence, size_t position);

/** Makes sequence `to` equal to `from`. Cache pages are shared until one side
 * writes: takes no time and, for the common prefix, no memory. */
LLMOPT_API llmopt_status llmopt_copy(llmopt_session *session, uint32_t from,
                                     uint32_t to);

/** What one thread spent in the kernels of a class. */
typedef struct llmopt_kernel_time {
  uint64_t calls;
  double seconds;
} llmopt_kernel_time;

/** Takes what the session's threads have spent in kernels since the call
 * before: [threads][kernel_count] of the variant in use (llmopt_info: threads,
 * variant). For libraries compiled with -profile; an error for others.
 * @param times  written.
 * @param count  its elements: exactly threads * kernel_count. */
LLMOPT_API llmopt_status llmopt_take_profile(llmopt_session *session,
                                             llmopt_kernel_time *times,
                                             size_t count);

/*===----------------------------------------------------------------------===*\
|* The ONNX signature
\*===----------------------------------------------------------------------===*/

/** A dense row-major tensor. */
typedef struct llmopt_tensor {
  int32_t element_type; /**< llmopt_element_type */
  int32_t rank;
  int64_t dims[LLMOPT_MAX_RANK];
  /** Inputs: elements. Outputs: caller's buffer, or NULL for one that the
   * session owns until its next call. */
  void *data;
  /** Bytes at `data`. Inputs: 0 if not to be checked. */
  size_t capacity;
} llmopt_tensor;

/** Computes the function of the ONNX model: inputs and outputs are those of
 * llmopt_info, in order. Does not touch the sequences of llmopt_step; any batch
 * and length up to max_positions are accepted, by a graph model any sizes that
 * its signature leaves open and its operators agree on. Sets type, rank and
 * dims of the outputs, also when the result is LLMOPT_BUFFER_TOO_SMALL. Inputs
 * may be outputs of the call before, in place: they are read before outputs are
 * written. */
LLMOPT_API llmopt_status llmopt_run(llmopt_session *session,
                                    const llmopt_tensor *inputs,
                                    size_t input_count, llmopt_tensor *outputs,
                                    size_t output_count);

/*===----------------------------------------------------------------------===*\
|* Errors
\*===----------------------------------------------------------------------===*/

/** Message of the last call of this thread that failed: one line, valid until
 * the next. Empty if none has. */
LLMOPT_API const char *llmopt_last_error(void);

/** Name of a status, such as "LLMOPT_TRUNCATED". */
LLMOPT_API const char *llmopt_status_name(llmopt_status status);

#ifdef __cplusplus
}
#endif

#endif /* LLMOPT_RUNTIME_H */
