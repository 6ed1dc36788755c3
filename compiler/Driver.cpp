//===- Driver.cpp - From a model to a library -------------------*- C++ -*-===//
//
// Part of the llmopt project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for licence information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver.h"
#include "compiler/Calibration/Calibration.h"
#include "compiler/Diagnostics.h"
#include "compiler/LibraryBuilder.h"
#include "compiler/ModelSource.h"
#include "compiler/OutputFile.h"
#include "compiler/Pipelines.h"
#include "compiler/Report.h"
#include "compiler/Summary.h"
#include "compiler/Variant.h"
#include "dialects/LLMOpt/LLMOptOps.h"
#include "dialects/LLMOpt/WeightStore.h"
#include "dialects/ONNX/ONNXOps.h"
#include "frontends/onnx/Import.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "passes/Import/Pipelines.h"
#include "passes/Lowering/Pipelines.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ThreadPool.h"

using namespace llmopt;
using namespace mlir;
using Emit = CompileOptions::Emit;

namespace {

/// One compilation. The steps return ExitCode::Done to go on; errors are
/// printed where they are found.
class Compilation {
public:
  Compilation(const CompileOptions &options, ArrayRef<CpuTarget> targets,
              ProcessGuard &guard, Progress &progress,
              const CodeRunnerFactory &makeRunner);

  ExitCode run();

private:
  ExitCode openFiles();
  ExitCode read();
  ExitCode checkDataFiles();
  ExitCode transform();
  ExitCode import();
  ExitCode calibrate();
  ExitCode pruneWithoutData(StringRef reason);
  ExitCode enterGraph(StringRef reason);
  ExitCode lowerDecoder(Stage stage);
  ExitCode runStage(Stage stage);
  LogicalResult run(llvm::function_ref<void(OpPassManager &)> populate);
  ExitCode checkSessions();
  ExitCode generateCode();
  ExitCode writeModule();
  ExitCode writeCode();
  ExitCode writeLibrary();

  ExitCode fail(llvm::Error error, ExitCode code = ExitCode::Resources);
  /// The code of a failure whose errors are printed already.
  ExitCode failed();
  WeightStore &store() {
    return context.getOrLoadDialect<LLMOptDialect>()->getWeightStore();
  }

  const CompileOptions &options;
  ArrayRef<CpuTarget> targets;
  ProcessGuard &guard;
  Progress &progress;
  const CodeRunnerFactory &makeRunner;
  llvm::DefaultThreadPool pool;
  MLIRContext context;
  std::unique_ptr<DiagnosticPrinter> diagnostics;
  std::unique_ptr<ModelSource> source;
  std::unique_ptr<OutputFile> output, reportFile;
  OwningOpRef<ModuleOp> module;
  /// The model before its import, until it is known to become a decoder.
  OwningOpRef<ModuleOp> asRead;
  std::vector<CompiledVariant> variants;
  Report report;
  /// SHA-256 of the model file, computed beside the other work.
  std::shared_future<std::string> modelHash;
};

/// Number of stages after those of stagesOf.
unsigned codeStages(Emit emit) {
  switch (emit) {
  case Emit::Library:
    return 3; // code, pack, link
  case Emit::LLVM:
  case Emit::Assembly:
  case Emit::Object:
    return 1;
  default:
    return 0;
  }
}

DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  return registry;
}

} // namespace

Compilation::Compilation(const CompileOptions &options,
                         ArrayRef<CpuTarget> targets, ProcessGuard &guard,
                         Progress &progress,
                         const CodeRunnerFactory &makeRunner)
    : options(options), targets(targets), guard(guard), progress(progress),
      makeRunner(makeRunner), pool(llvm::hardware_concurrency(options.jobs)),
      context(makeRegistry(), MLIRContext::Threading::DISABLED),
      report(options, targets) {
  if (pool.getMaxConcurrency() > 1)
    context.setThreadPool(pool);
  context.printOpOnDiagnostic(false);
}

ExitCode Compilation::fail(llvm::Error error, ExitCode code) {
  progress.message("error", oneLine(llvm::toString(std::move(error))));
  return code;
}

ExitCode Compilation::failed() {
  return store().hasSystemError() ? ExitCode::Resources : ExitCode::BadModel;
}

ExitCode Compilation::run() {
  using Step = ExitCode (Compilation::*)();
  std::vector<Step> steps = {&Compilation::openFiles, &Compilation::read,
                             &Compilation::checkDataFiles,
                             &Compilation::transform};
  switch (options.emit) {
  case Emit::Onnx:
  case Emit::LLMOpt:
  case Emit::Encoded:
  case Emit::Kernel:
    steps.push_back(&Compilation::writeModule);
    break;
  case Emit::LLVM:
  case Emit::Assembly:
  case Emit::Object:
    steps.insert(steps.end(),
                 {&Compilation::generateCode, &Compilation::writeCode});
    break;
  case Emit::Library:
    steps.insert(steps.end(),
                 {&Compilation::checkSessions, &Compilation::generateCode,
                  &Compilation::writeLibrary});
    break;
  }
  bool samples = options.calibrates() && options.calibration.empty();
  progress.expect(1 + stagesOf(options).size() + samples +
                  codeStages(options.emit));
  for (Step step : steps)
    if (ExitCode code = (this->*step)(); code != ExitCode::Done)
      return code;
  return ExitCode::Done;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// The outputs come first: that they cannot be written is known before any
/// work.
ExitCode Compilation::openFiles() {
  llvm::Expected<std::unique_ptr<OutputFile>> file =
      OutputFile::create(options.outputPath(), guard);
  if (!file)
    return fail(file.takeError());
  output = std::move(*file);
  if (options.emit == Emit::Library && output->isStream())
    return fail(llvm::createStringError("cannot write '" +
                                        options.outputPath() +
                                        "': a library needs a regular file"));
  if (!options.report.empty()) {
    file = OutputFile::create(options.report, guard);
    if (!file)
      return fail(file.takeError());
    reportFile = std::move(*file);
  }
  llvm::Expected<std::unique_ptr<ModelSource>> model =
      ModelSource::open(options.model);
  if (!model)
    return fail(model.takeError());
  source = std::move(*model);
  diagnostics =
      std::make_unique<DiagnosticPrinter>(context, source->display(), progress);
  store().setModelPath(source->path());
  return ExitCode::Done;
}

ExitCode Compilation::read() {
  progress.begin("read");
  onnx::ImportErrorKind kind = onnx::ImportErrorKind::None;
  FailureOr<OwningOpRef<ModuleOp>> model =
      onnx::importONNX(source->path(), context, {}, &kind);
  if (mlir::failed(model))
    return kind == onnx::ImportErrorKind::Unreadable ? ExitCode::Resources
                                                     : ExitCode::BadModel;
  module = std::move(*model);
  if (options.emit == Emit::Library)
    modelHash = pool.async([path = source->path()]() -> std::string {
      llvm::Expected<std::string> hash = sha256OfFile(path);
      if (hash)
        return *hash;
      // The file was readable a moment ago; the report then says nothing.
      llvm::consumeError(hash.takeError());
      return "";
    });
  progress.end();
  return ExitCode::Done;
}

/// No output takes the place of the model's data files, whose names only the
/// model tells.
ExitCode Compilation::checkDataFiles() {
  llvm::StringSet<> files;
  module->walk([&](onnx::InitializerOp initializer) {
    if (auto blob = dyn_cast<onnx::FileBlobAttr>(initializer.getValue()))
      files.insert(blob.getFile());
  });
  for (StringRef file : files.keys()) {
    if (file.empty())
      continue;
    SmallString<256> path(source->path());
    llvm::sys::path::remove_filename(path);
    llvm::sys::path::append(path, file);
    for (const std::string &name : {options.outputPath(), options.report})
      if (!name.empty() && name != "-" && nameOneFile(name, path))
        return fail(llvm::createStringError("'" + name +
                                            "' is a data file of the model; "
                                            "choose another name"),
                    ExitCode::Usage);
  }
  return ExitCode::Done;
}

ExitCode Compilation::transform() {
  for (Stage stage : stagesOf(options)) {
    if (stage == Stage::Calibrate) {
      if (ExitCode code = calibrate(); code != ExitCode::Done)
        return code;
      continue;
    }
    progress.begin(stringify(stage));
    if (ExitCode code = runStage(stage); code != ExitCode::Done)
      return code;
    progress.end();
  }
  return ExitCode::Done;
}

ExitCode Compilation::runStage(Stage stage) {
  bool isLowering = stage == Stage::Select || stage == Stage::Bufferize;
  if (stage == Stage::Import)
    return import();
  if (stage == Stage::Calibrate)
    return pruneWithoutData("the model is compiled as a graph");
  if (isLowering && !isGraphModel(*module))
    return lowerDecoder(stage);
  // A graph has no state to form; its constants get their places.
  if (isLowering)
    return stage == Stage::Bufferize && mlir::failed(run([](OpPassManager &m) {
             populatePlaceGraphPipeline(m);
           }))
               ? failed()
               : ExitCode::Done;
  if (mlir::failed(
          run([&](OpPassManager &m) { buildStage(m, stage, options); })))
    return failed();
  if (stage == Stage::Encode && mlir::failed(report.addLayers(*module)))
    return failed();
  return ExitCode::Done;
}

LogicalResult
Compilation::run(llvm::function_ref<void(OpPassManager &)> populate) {
  PassManager manager(&context, ModuleOp::getOperationName());
  populate(manager);
  return manager.run(*module);
}

ExitCode Compilation::import() {
  asRead = module->clone();
  if (mlir::failed(run(
          [&](OpPassManager &m) { buildStage(m, Stage::Import, options); })))
    return failed();
  if (!isGraphModel(*module))
    return ExitCode::Done;
  return enterGraph(module->lookupSymbol("main")
                        ->getAttrOfType<StringAttr>(kGraphReasonAttrName)
                        .getValue());
}

/// Prunes for what the model computes from the calibration tokens.
ExitCode Compilation::calibrate() {
  std::unique_ptr<CodeRunner> runner = makeRunner(options.jobs);
  Calibration calibration(*module, options, *runner, progress);
  std::string reason = isGraphModel(*module)
                           ? "the model is compiled as a graph"
                           : calibration.prepare();
  if (!reason.empty() && store().hasSystemError())
    return fail(llvm::createStringError(reason));
  if (!reason.empty()) {
    progress.begin(stringify(Stage::Calibrate));
    if (ExitCode code = pruneWithoutData(reason); code != ExitCode::Done)
      return code;
    progress.end();
    return ExitCode::Done;
  }
  if (ExitCode code = calibration.run(); code != ExitCode::Done)
    return code;
  report.setCalibration(calibration.getSummary());
  return ExitCode::Done;
}

ExitCode Compilation::pruneWithoutData(StringRef reason) {
  report.addNote(
      ("weights are compressed without calibration: " + reason).str());
  report.warnOfMagnitude(options);
  if (mlir::failed(run(
          [&](OpPassManager &m) { buildStage(m, Stage::Sparsify, options); })))
    return failed();
  return ExitCode::Done;
}

/// Goes on with the model as a graph: what compression works on is raised, all
/// else stays as it was read.
ExitCode Compilation::enterGraph(StringRef reason) {
  auto attribute = StringAttr::get(&context, reason);
  module = std::move(asRead);
  module->lookupSymbol("main")->setAttr(kGraphReasonAttrName, attribute);
  report.setGraphReason(attribute.getValue());
  if (mlir::failed(run([&](OpPassManager &m) {
        ImportGraphOptions graph;
        graph.foldQDQ = options.foldQDQ;
        populateImportGraphPipeline(m, graph);
      })))
    return failed();
  return ExitCode::Done;
}

/// A decoder that a later stage refuses is compiled as a graph, too.
ExitCode Compilation::lowerDecoder(Stage stage) {
  std::string reason;
  {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
        return failure();
      if (reason.empty())
        reason = diagnostic.str();
      return success();
    });
    if (succeeded(
            run([&](OpPassManager &m) { buildStage(m, stage, options); })))
      return ExitCode::Done;
  }
  if (store().hasSystemError()) {
    progress.message("error", oneLine(reason));
    return ExitCode::Resources;
  }
  if (ExitCode code = enterGraph(reason); code != ExitCode::Done)
    return code;
  report.addNote("compiled as a graph, without sessions: " + oneLine(reason));
  report.clearLayers();
  report.clearCalibration();
  for (Stage again : stagesOf(options)) {
    if (again != Stage::Import)
      if (ExitCode code = runStage(again); code != ExitCode::Done)
        return code;
    if (again == stage)
      break;
  }
  return ExitCode::Done;
}

ExitCode Compilation::checkSessions() {
  if (isGraphModel(*module))
    return ExitCode::Done;
  auto decoder = (*module)->getAttrOfType<DecoderAttr>(kDecoderAttrName);
  if (!decoder)
    return fail(llvm::createStringError(source->display() +
                                        ": the model is no decoder"),
                ExitCode::BadModel);
  if (options.maxSequence <= decoder.getMaxPositions())
    return ExitCode::Done;
  return fail(llvm::createStringError(
                  "'-max-seq' is at most the positions of the model, " +
                  llvm::Twine(decoder.getMaxPositions()) + ", not " +
                  llvm::Twine(options.maxSequence)),
              ExitCode::Usage);
}

ExitCode Compilation::generateCode() {
  progress.begin("code", targets.size());
  for (auto [index, target] : llvm::enumerate(targets)) {
    FailureOr<CompiledVariant> variant =
        compileVariant(*module, target, index, options.emit, options.profile);
    if (mlir::failed(variant))
      return failed();
    variants.push_back(std::move(*variant));
    progress.advance(target.name);
  }
  progress.end();
  return ExitCode::Done;
}

ExitCode Compilation::writeModule() {
  std::string text;
  llvm::raw_string_ostream os(text);
  OpPrintingFlags flags;
  // The names of nodes are locations; later stages carry them only for
  // diagnostics.
  flags.enableDebugInfo(options.emit == Emit::Onnx);
  module->print(os, flags);
  os << "\n";
  if (llvm::Error error = output->write(text))
    return fail(std::move(error));
  return ExitCode::Done;
}

ExitCode Compilation::writeCode() {
  if (llvm::Error error = output->write(
          StringRef(variants[0].code.data(), variants[0].code.size())))
    return fail(std::move(error));
  return ExitCode::Done;
}

ExitCode Compilation::writeLibrary() {
  report.setModel(source->name(), modelHash.get());
  for (const std::string &note : report.notes())
    progress.message("warning", note);
  DescriptorContents contents =
      isGraphModel(*module)
          ? describeGraph(*module, variants.front().outputTypes, source->name())
          : describeModel(*module, options, source->name());
  contents.report = report.reproducibleText();
  LibraryBuilder builder(*module, variants, contents, *output, progress);
  if (ExitCode code = builder.build(); code != ExitCode::Done)
    return code;

  // Neither file appears when the other cannot be written.
  report.setTimes(progress.times());
  report.setPeakBytes(peakResidentBytes());
  if (reportFile)
    if (llvm::Error error = reportFile->fill(report.text()))
      return fail(std::move(error));
  if (llvm::Error error = output->commit())
    return fail(std::move(error));
  if (reportFile)
    if (llvm::Error error = reportFile->commit())
      return fail(std::move(error));
  printSummary({options.outputPath(), report.totals(), builder.fileBytes(),
                progress.total(), peakResidentBytes()},
               progress);
  return ExitCode::Done;
}

ExitCode llmopt::compileModel(const CompileOptions &options,
                              ArrayRef<CpuTarget> targets, ProcessGuard &guard,
                              Progress &progress,
                              const CodeRunnerFactory &makeRunner) {
  return Compilation(options, targets, guard, progress, makeRunner).run();
}
