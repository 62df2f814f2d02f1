import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

/** A command of the test engine; the words and flags are those of the real CLI that tests and the demo use. */
export interface Command {
  /** `preview`, `up`, `refresh`, `destroy`, `stack output`, ... */
  name: string;
  args: string[];
  cwd: string;
  stack: string | undefined;
  configFile: string | undefined;
  yes: boolean;
  skipPreview: boolean;
  previewOnly: boolean;
  diff: boolean;
  debug: boolean;
  json: boolean;
  showSecrets: boolean;
  secret: boolean;
  refresh: boolean;
  expectNoChanges: boolean;
  clearPendingCreates: boolean;
  targets: string[];
  targetDependents: boolean;
  parallel: number;
  eventLog: string | undefined;
}

export const usage = `usage: preview | up | refresh | destroy | cancel | stack init NAME | stack ls | stack output [NAME] | stack export | stack rm | config set KEY [VALUE]
    -C, --cwd DIR         the program's folder
    -s, --stack NAME      the stack (default: PULUMI_STACK, or the only one there is)
    -y, --yes             go ahead without asking
    -f, --skip-preview    no preview first
    -p, --parallel N      so many steps at once
    -r, --refresh         read every resource first (up, destroy, preview)
    -t, --target URN      only these (may be repeated); --target-dependents: and what depends on them
        --diff            every changed property
        --expect-no-changes, --preview-only, --clear-pending-creates, --config-file FILE, --event-log FILE
        --json, --show-secrets (stack output), --secret (config set)`;

const groups = ["stack", "config"];

/** @throws with the usage when it makes no sense. */
export function readCommandLine(argv: string[], env: NodeJS.ProcessEnv): Command {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      cwd: { type: "string", short: "C", default: "." },
      stack: { type: "string", short: "s" },
      "config-file": { type: "string" },
      yes: { type: "boolean", short: "y", default: false },
      "skip-preview": { type: "boolean", short: "f", default: false },
      "preview-only": { type: "boolean", default: false },
      diff: { type: "boolean", default: false },
      debug: { type: "boolean", short: "d", default: false },
      json: { type: "boolean", short: "j", default: false },
      "show-secrets": { type: "boolean", default: false },
      secret: { type: "boolean", default: false },
      refresh: { type: "boolean", short: "r", default: false },
      "expect-no-changes": { type: "boolean", default: false },
      "clear-pending-creates": { type: "boolean", default: false },
      target: { type: "string", short: "t", multiple: true, default: [] },
      "target-dependents": { type: "boolean", default: false },
      parallel: { type: "string", short: "p" },
      "event-log": { type: "string" },
      // Of the real CLI, and without meaning here.
      "non-interactive": { type: "boolean" },
      "suppress-progress": { type: "boolean" },
      "suppress-permalink": { type: "boolean" },
      color: { type: "string" },
    },
  });
  const [first, second, ...rest] = positionals;
  if (first === undefined || (groups.includes(first) && second === undefined)) throw new Error(usage);
  const grouped = groups.includes(first);
  const parallel = Number(values.parallel ?? env["PULUMI_PARALLEL"] ?? availableParallelism() * 4);
  if (!Number.isInteger(parallel) || parallel < 1) throw new Error(`--parallel must be a positive number, not ${JSON.stringify(values.parallel)}`);
  return {
    name: grouped ? `${first} ${second}` : first,
    args: grouped ? rest : positionals.slice(1),
    cwd: values.cwd,
    stack: values.stack ?? env["PULUMI_STACK"],
    configFile: values["config-file"],
    yes: values.yes,
    skipPreview: values["skip-preview"],
    previewOnly: values["preview-only"],
    diff: values.diff,
    debug: values.debug,
    json: values.json,
    showSecrets: values["show-secrets"],
    secret: values.secret,
    refresh: values.refresh,
    expectNoChanges: values["expect-no-changes"],
    clearPendingCreates: values["clear-pending-creates"],
    targets: values.target,
    targetDependents: values["target-dependents"],
    parallel,
    eventLog: values["event-log"],
  };
}
