import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "mocha";
import { openStack, type ConfigValue, type OperationResult, type ProgramStack, type RunningOperation, type StackOptions } from "../../engine/program";

/** One note that the test program declares; see tests/engine/programs/notes. */
export interface PlannedNote {
  name: string;
  type?: string;
  text?: string;
  secret?: boolean;
  from?: string;
  files?: Record<string, string>;
  list?: string[];
  size?: number;
  strict?: boolean;
  deleteFirst?: boolean;
  fail?: "check" | "create" | "partial" | "update" | "delete" | "undefined";
  delay?: number;
  progress?: string;
  hooked?: boolean;
  component?: boolean;
  parent?: string;
  options?: Record<string, unknown>;
}

export const programs = join(__dirname, "..", "..", "engine", "programs");

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "engine-test-"));
  folders.push(folder);
  return folder;
}

/** A stack of the notes program, and the folder its notes are kept in. */
export class Notes {
  private constructor(
    readonly stack: ProgramStack,
    private readonly folder: string,
  ) {}

  static async open(plan: PlannedNote[], options: Partial<StackOptions> = {}): Promise<Notes> {
    const stateDir = temporaryFolder();
    const folder = join(stateDir, "notes");
    mkdirSync(folder);
    const config = { folder, plan: plan as unknown as ConfigValue, ...options.config };
    return new Notes(await openStack({ programDir: join(programs, "notes"), stateDir, timeout: 200_000, ...options, config }), folder);
  }

  async plan(plan: PlannedNote[], config: Record<string, ConfigValue> = {}): Promise<void> {
    await this.stack.setConfig({ folder: this.folder, plan: plan as unknown as ConfigValue, ...config });
  }

  /** What the provider has done since the last look, in its order. */
  log(): string[] {
    const file = join(this.folder, "log");
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").trim().split("\n");
    rmSync(file);
    return lines;
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, `${name}-0`), text);
  }

  remove(name: string): void {
    rmSync(join(this.folder, `${name}-0`));
  }

  /** Whether the note of that name and size is there. */
  has(name: string, size = 0): boolean {
    return existsSync(join(this.folder, `${name}-${size}`));
  }

  /** Waits until the provider has begun something. */
  async seen(running: RunningOperation, line: string): Promise<void> {
    const file = join(this.folder, "log");
    const deadline = Date.now() + 60_000;
    while (!existsSync(file) || !readFileSync(file, "utf8").split("\n").includes(line)) {
      if (Date.now() > deadline) throw new Error(`no "${line}" in the log; the engine printed:\n${running.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The operations, one per resource and step: `create a`, sorted; what stays the same is left out. */
export function steps(result: OperationResult): string[] {
  return result.steps
    .filter(({ op }) => op !== "same")
    .map(({ op, name, done }) => `${op} ${name}${done ? "" : " (not done)"}`)
    .sort();
}

/** What went wrong, without the engine's closing sentence. */
export function errors(result: OperationResult): string[] {
  return result.diagnostics.filter(({ severity, message }) => severity === "error" && !/^(update|preview) (failed|canceled)$/.test(message)).map(({ message }) => message);
}
