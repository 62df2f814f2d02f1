import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { outputLine, type Report } from "./diagnostics";
import { fromStruct, toStruct } from "./marshal";
import { NodeProcess } from "./nodeProcess";
import { providerFailure } from "./providerFailure";
import type { ResourceState } from "./state";
import { parseUrn } from "./urn";
import { Secret, containsSecrets, isMap, type ValueMap } from "./value";
import type { PathDiff } from "./valueDiff";

/** As large a message as the real engine lets through: 400 MB. */
export const channelOptions = { "grpc.max_receive_message_length": 400 << 20, "grpc.max_send_message_length": 400 << 20 };

/** A provider waits for calls for ever, so it has to notice by itself when the engine was killed. */
const endWithParent = `data:text/javascript,${encodeURIComponent("const parent = process.ppid; setInterval(() => process.ppid === parent || process.exit(1), 500).unref();")}`;

const providerStreams = { stdout: 3, stderr: 4 };

export interface CheckResult {
  inputs: ValueMap;
  failures: { property: string; reason: string }[];
}

export interface ProviderDiff {
  changes: "none" | "some" | "unknown";
  replaceKeys: string[];
  changedKeys: string[];
  /** Only set by the engine itself, from the inputs: dynamic providers cannot give one. */
  detailed: PathDiff[] | undefined;
  deleteBeforeReplace: boolean;
}

export interface ReadResult {
  /** Empty: the resource is gone. */
  id: string;
  outputs: ValueMap;
  /** undefined: the provider said nothing about inputs. */
  inputs: ValueMap | undefined;
}

/** What one process of a dynamic provider needs to start. */
export interface ProviderProcessOptions {
  script: string;
  programDir: string;
  /** Asked for when the process starts: the engine may not listen yet when this is written down. */
  engineAddress: () => string;
  env: NodeJS.ProcessEnv;
  project: string;
  config: ValueMap;
  report: Report;
}

/** The process that serves every dynamic resource of a deployment. Secrets are taken off on the way in and put back on the way out. */
export class ProviderProcess {
  private constructor(
    private readonly process: NodeProcess,
    private readonly client: ResourceProviderClient,
  ) {}

  static async start(options: ProviderProcessOptions): Promise<ProviderProcess> {
    let closing = false;
    let gotPort: (port: number) => void = () => undefined;
    const port = new Promise<number>((resolve) => (gotPort = resolve));
    let first = true;
    const child = new NodeProcess({
      args: ["--import", endWithParent, options.script, options.engineAddress()],
      cwd: options.programDir,
      env: { ...options.env, PULUMI_NODEJS_PROJECT: options.project, PULUMI_PROJECT: options.project },
      onLine: (stream, line) => {
        // The first line is the port; everything after it is what provider code prints.
        if (stream === "stdout" && first) {
          first = false;
          gotPort(Number(line));
        } else if (!closing) options.report(outputLine(stream, line, providerStreams));
      },
    });
    const early = child.ended.then(({ code, signal }) => {
      throw new Error(`the dynamic provider process ended before it was ready (${signal ?? `exit code ${code}`})`);
    });
    const client = new ResourceProviderClient(`127.0.0.1:${await Promise.race([port, early])}`, credentials.createInsecure(), channelOptions);
    early.catch(() => undefined);
    const provider = new ProviderProcess(child, client);
    provider.onClose = () => (closing = true);
    await provider.configure(options.config);
    return provider;
  }

  private onClose: () => void = () => undefined;

  close(): void {
    this.onClose();
    this.client.close();
    this.process.kill();
  }

  private async configure(config: ValueMap): Promise<void> {
    const request = new proto.ConfigureRequest();
    request.setAcceptsecrets(true);
    request.setAcceptresources(true);
    request.setSendsOldInputs(true);
    request.setSendsOldInputsToDelete(true);
    request.setArgs(toStruct(config, { secrets: true, unknowns: "keep" }));
    const response = await this.call<proto.ConfigureResponse>("configure", request, (done) => this.client.configure(request, done));
    if (response.getAcceptsecrets()) throw new Error("the dynamic provider accepts secrets: the test engine does not know how to hand them over");
  }

  async check(urn: string, olds: ValueMap, news: ValueMap, preview: boolean): Promise<CheckResult> {
    const request = new proto.CheckRequest();
    describe(request, urn);
    request.setOlds(this.sent(olds, preview));
    request.setNews(this.sent(news, preview));
    const response = await this.call<proto.CheckResponse>("check", request, (done) => this.client.check(request, done));
    const inputs = fromStruct(response.getInputs(), `${urn}.inputs`, preview ? "keep" : "refuse");
    markSecrets(inputs, news);
    return {
      inputs,
      failures: response.getFailuresList().map((failure) => ({ property: failure.getProperty(), reason: failure.getReason() })),
    };
  }

  async diff(urn: string, id: string, old: { inputs: ValueMap; outputs: ValueMap }, news: ValueMap, ignore: string[], preview: boolean): Promise<ProviderDiff> {
    const request = new proto.DiffRequest();
    describe(request, urn);
    request.setId(id);
    request.setOldInputs(this.sent(old.inputs, preview));
    request.setOlds(this.sent(old.outputs, preview));
    request.setNews(this.sent(news, preview));
    request.setIgnorechangesList(ignore);
    const response = await this.call<proto.DiffResponse>("diff", request, (done) => this.client.diff(request, done));
    const { DIFF_NONE, DIFF_SOME } = proto.DiffResponse.DiffChanges;
    const changes = response.getChanges();
    return {
      changes: changes === DIFF_NONE ? "none" : changes === DIFF_SOME ? "some" : "unknown",
      replaceKeys: response.getReplacesList(),
      changedKeys: response.getDiffsList(),
      detailed: undefined,
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async create(state: ResourceState): Promise<{ id: string; outputs: ValueMap }> {
    const request = new proto.CreateRequest();
    describe(request, state.urn);
    request.setProperties(this.sent(state.inputs, false));
    try {
      const response = await this.call<proto.CreateResponse>("create", request, (done) => this.client.create(request, done));
      if (response.getId() === "") throw new Error(`plugin returned empty resource.ID from create '${state.urn}'`);
      return { id: response.getId(), outputs: received(response.getProperties(), state.urn, state.inputs) };
    } catch (error) {
      throw withSecrets(error, state.inputs);
    }
  }

  async update(state: ResourceState, old: ResourceState): Promise<{ outputs: ValueMap }> {
    const request = new proto.UpdateRequest();
    describe(request, state.urn);
    request.setId(old.id);
    request.setOldInputs(this.sent(old.inputs, false));
    request.setOlds(this.sent(old.outputs ?? {}, false));
    request.setNews(this.sent(state.inputs, false));
    request.setIgnorechangesList(state.ignoreChanges);
    try {
      const response = await this.call<proto.UpdateResponse>("update", request, (done) => this.client.update(request, done));
      return { outputs: received(response.getProperties(), state.urn, state.inputs) };
    } catch (error) {
      throw withSecrets(error, state.inputs);
    }
  }

  async read(state: ResourceState): Promise<ReadResult> {
    const request = new proto.ReadRequest();
    describe(request, state.urn);
    request.setId(state.id);
    request.setInputs(this.sent(state.inputs, false));
    request.setProperties(this.sent(state.outputs ?? state.inputs, false));
    try {
      const response = await this.call<proto.ReadResponse>("read", request, (done) => this.client.read(request, done));
      const inputs = response.getInputs();
      return {
        id: response.getId(),
        outputs: received(response.getProperties(), state.urn, state.outputs ?? state.inputs),
        inputs: inputs === undefined ? undefined : received(inputs, state.urn, state.inputs),
      };
    } catch (error) {
      throw withSecrets(error, state.outputs ?? state.inputs);
    }
  }

  async delete(state: ResourceState): Promise<void> {
    const request = new proto.DeleteRequest();
    describe(request, state.urn);
    request.setId(state.id);
    request.setOldInputs(this.sent(state.inputs, false));
    request.setProperties(this.sent(state.outputs ?? {}, false));
    await this.call<unknown>("delete", request, (done) => this.client.delete(request, done));
  }

  private sent(values: ValueMap, preview: boolean) {
    return toStruct(values, { secrets: false, unknowns: preview ? "keep" : "drop" });
  }

  private call<Response>(
    name: string,
    request: { getUrn?: () => string | undefined },
    start: (done: (error: ServiceError | null, response: Response) => void) => void,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      start((error, response) => {
        if (error === null) resolve(response);
        else reject(providerFailure(error, `${request.getUrn?.() ?? ""}.${name}`));
      });
    });
  }
}

function describe(request: { setUrn(urn: string): unknown; setName(name: string): unknown; setType(type: string): unknown }, urn: string): void {
  const { name, type } = parseUrn(urn);
  request.setUrn(urn);
  request.setName(name);
  request.setType(type);
}

function received(struct: Parameters<typeof fromStruct>[0], urn: string, sent: ValueMap): ValueMap {
  const values = fromStruct(struct, `${urn}.outputs`, "refuse");
  markSecrets(values, sent);
  return values;
}

function withSecrets(error: unknown, sent: ValueMap): unknown {
  const partial = (error as { partial?: { outputs: ValueMap; inputs: ValueMap | undefined } }).partial;
  if (partial !== undefined) {
    markSecrets(partial.outputs, sent);
    if (partial.inputs !== undefined) markSecrets(partial.inputs, sent);
  }
  return error;
}

/** The provider sees plain values; what it gives back under the name of a secret becomes secret again. */
function markSecrets(values: ValueMap, sent: ValueMap): void {
  for (const [key, before] of Object.entries(sent)) {
    const value = values[key];
    if (value === undefined) continue;
    if (isMap(value) && isMap(before)) markSecrets(value, before);
    else if (!(value instanceof Secret) && containsSecrets(before)) values[key] = new Secret(value);
  }
}
