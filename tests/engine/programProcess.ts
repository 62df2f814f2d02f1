import { Bail, outputLine, type Report } from "./diagnostics";
import { NodeProcess } from "./nodeProcess";
import type { Project } from "./project";
import type { StackConfig } from "./stackConfig";

/** The SDK ends a program with this code when it has already told the user why. */
const alreadyReported = 32;

const programStreams = { stdout: 1, stderr: 2 };

export interface ProgramProcessOptions {
  script: string;
  project: Project;
  stack: string;
  organization: string;
  config: StackConfig;
  monitorAddress: string;
  engineAddress: string;
  parallel: number;
  preview: boolean;
  env: NodeJS.ProcessEnv;
  report: Report;
}

/** The user's program, run by the SDK's own runner as the real language host would. */
export class ProgramProcess {
  private readonly process: NodeProcess;
  private stopping = false;

  constructor(options: ProgramProcessOptions) {
    const { project } = options;
    const flags = {
      monitor: options.monitorAddress,
      engine: options.engineAddress,
      organization: options.organization,
      project: project.name,
      "root-directory": project.root,
      stack: options.stack,
      pwd: project.programDir,
      parallel: String(options.parallel),
    };
    this.process = new NodeProcess({
      args: [
        ...project.nodeArgs,
        options.script,
        ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
        ...(options.preview ? ["--dry-run"] : []),
        project.entryPoint,
      ],
      cwd: project.programDir,
      env: {
        ...options.env,
        // Configuration goes by environment, not by argument: others on the machine can read arguments.
        PULUMI_CONFIG: JSON.stringify(options.config.values),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(options.config.secretKeys),
        ...(project.typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
        ...(project.tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: project.tsconfig }),
      },
      onLine: (stream, line) => {
        if (!this.stopping) options.report(outputLine(stream, line, programStreams));
      },
    });
  }

  /** Waits for the program's end. @throws when it failed; {@link Bail} when it has said why itself. */
  async finished(): Promise<void> {
    const { code, signal } = await this.process.ended;
    if (code === 0) return;
    if (code === alreadyReported) throw new Bail("the program failed");
    throw new Error(signal === null ? `Program exited with non-zero exit code: ${code}` : `Program exited unexpectedly: signal ${signal}`);
  }

  kill(): void {
    this.stopping = true;
    this.process.kill();
  }
}
