// The engine's door to Node programs (pulumirpc.LanguageRuntime), for an engine that was built from its Go module and
// has none beside it. A full installation of the Pulumi CLI brings its own, which also installs packages and converts
// programs; this one runs a program, and says that it needs no plugins. The engine reads the port from standard output.
//
// It speaks gRPC over node:http2 by itself: the engine starts it twice in each operation, and the library takes most of
// such a start.
import { spawn } from "node:child_process";
import { createServer } from "node:http2";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);

/** What the SDK's runner exits with when it has shown the error itself. */
const shownAlready = 32;
const unimplemented = 12;
const internal = 13;
/** PluginInfo with version "1.0.0". */
const information = Buffer.from("\n\u00051.0.0");
const nothing = Buffer.alloc(0);

const engine = process.argv.slice(2).findLast((argument) => !argument.startsWith("-"));
if (engine === undefined) {
  console.error("usage: languageHost.mjs ENGINE_ADDRESS; the Pulumi engine starts it");
  process.exit(2);
}
/** Programs that run now. */
const programs = new Set();

/** @param body a RunRequest @returns a RunResponse */
function run(body, done) {
  // One of the two only tells what it is.
  const messages = require("@pulumi/pulumi/proto/language_pb.js");
  const request = messages.RunRequest.deserializeBinary(body);
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
    done(null, Buffer.from(answer.serializeBinary()));
  });
}

function cancel(_body, done) {
  programs.forEach((program) => program.kill());
  done(null, nothing);
}

const answered = (message) => (_body, done) => done(null, message);

const methods = {
  Run: run,
  Handshake: answered(nothing),
  GetPluginInfo: answered(information),
  GetRequiredPlugins: answered(nothing),
  GetRequiredPackages: answered(nothing),
  GetProgramDependencies: answered(nothing),
  About: answered(nothing),
  Cancel: cancel,
};

const server = createServer();
server.on("stream", (stream, headers) => {
  const parts = [];
  stream.on("error", () => {});
  stream.on("data", (part) => parts.push(part));
  stream.on("end", () => {
    const [, service, name] = headers[":path"].split("/");
    const method = service === "pulumirpc.LanguageRuntime" && Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) {
      stream.respond({ "content-type": "application/grpc", "grpc-status": unimplemented }, { endStream: true });
      return;
    }
    // A message has a byte for its compression and four for its length before it.
    method(Buffer.concat(parts).subarray(5), (error, message) => {
      if (stream.destroyed) {
        return;
      }
      if (error !== null) {
        const told = { "grpc-status": internal, "grpc-message": encodeURIComponent(error.message) };
        stream.respond({ "content-type": "application/grpc", ...told }, { endStream: true });
        return;
      }
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": 0 }));
      stream.end(Buffer.concat([head, message]));
    });
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
