// The engine's door to Node programs (pulumirpc.LanguageRuntime), for an engine that was built from its Go module and
// has none beside it. A full installation of the Pulumi CLI brings its own, which also installs packages and converts
// programs; this one runs a program, and says that it needs no plugins. The engine reads the port from standard output.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

import grpc from "@grpc/grpc-js";

const require = createRequire(import.meta.url);
const { LanguageRuntimeService } = require("@pulumi/pulumi/proto/language_grpc_pb.js");
const messages = require("@pulumi/pulumi/proto/language_pb.js");
const { PluginInfo } = require("@pulumi/pulumi/proto/plugin_pb.js");
const requireFromSdk = createRequire(require.resolve("@pulumi/pulumi"));
// The SDK's own copy, of the version that its messages were made with.
const { Empty } = requireFromSdk("google-protobuf/google/protobuf/empty_pb.js");

/** What the SDK's runner exits with when it has shown the error itself. */
const shownAlready = 32;
/** A state of thousands of nodes arrives as one message. */
const largestMessage = 400 * 1024 * 1024;

const engine = process.argv.slice(2).findLast((argument) => !argument.startsWith("-"));
if (engine === undefined) {
  console.error("usage: languageHost.mjs ENGINE_ADDRESS; the Pulumi engine starts it");
  process.exit(2);
}
/** Programs that run now. */
const programs = new Set();

function run({ request }, done) {
  const info = request.getInfo();
  const folder = info.getProgramDirectory();
  const options = info.getOptions()?.toJavaScript() ?? {};
  const runner = createRequire(join(folder, "index.js")).resolve("@pulumi/pulumi/cmd/run");
  const program = spawn(
    process.execPath,
    [
      ...String(options.nodeargs ?? "")
        .split(" ")
        .filter((argument) => argument !== ""),
      runner,
      ...["--monitor", request.getMonitorAddress(), "--engine", engine],
      ...[
        "--project",
        request.getProject(),
        "--stack",
        request.getStack(),
        "--organization",
        request.getOrganization(),
      ],
      ...[
        "--root-directory",
        info.getRootDirectory(),
        "--pwd",
        request.getPwd(),
        "--parallel",
        String(request.getParallel()),
      ],
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint(),
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().entries())),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
        ...(options.typescript === false ? {} : { PULUMI_NODEJS_TYPESCRIPT: "true" }),
      },
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  programs.add(program);
  const answer = new messages.RunResponse();
  program.once("error", (error) => done(error));
  program.once("close", (code, signal) => {
    programs.delete(program);
    if (code === shownAlready) {
      answer.setBail(true);
    } else if (code !== 0) {
      answer.setError(`the program ended with ${signal ?? code}`);
    }
    done(null, answer);
  });
}

const answered = (message) => (_call, done) => done(null, message);
const information = new PluginInfo();
information.setVersion("1.0.0");

const server = new grpc.Server({
  "grpc.max_receive_message_length": largestMessage,
  "grpc.max_send_message_length": largestMessage,
});
server.addService(LanguageRuntimeService, {
  run,
  handshake: answered(new messages.LanguageHandshakeResponse()),
  getPluginInfo: answered(information),
  getRequiredPlugins: answered(new messages.GetRequiredPluginsResponse()),
  getRequiredPackages: answered(new messages.GetRequiredPackagesResponse()),
  getProgramDependencies: answered(new messages.GetProgramDependenciesResponse()),
  about: answered(new messages.AboutResponse()),
  cancel: (_call, done) => {
    programs.forEach((program) => program.kill());
    done(null, new Empty());
  },
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) {
    throw error;
  }
  console.log(port);
});
