import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { Empty } from "./protobuf";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engineProto from "@pulumi/pulumi/proto/engine_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/resource_pb";
import { withoutColors, type Report, type Severity } from "./diagnostics";
import { readGoal, type Goal } from "./goal";
import { fromStruct, toStruct } from "./marshal";
import { channelOptions } from "./providerProcess";
import type { RegistrationResult } from "./step";
import type { ValueMap } from "./value";

/** What a running program asks of the deployment. */
export interface MonitorRequests {
  register(goal: Goal): Promise<RegistrationResult>;
  registerOutputs(urn: string, outputs: ValueMap): Promise<void>;
  registerHook(request: proto.RegisterResourceHookRequest): void;
  /** The program has registered everything; answered when the deletes are done too, because hooks may be needed for them. */
  programDone(): Promise<void>;
}

export interface DeploymentInfo {
  project: string;
  stack: string;
  organization: string;
  preview: boolean;
  parallel: number;
  config: Record<string, string>;
  secretKeys: string[];
}

/** Only what this engine really does: the SDK refuses the rest by itself, with a message of its own. */
const features = [
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_SECRETS,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
  proto.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
];

type Handler<Request, Response> = (request: Request) => Promise<Response> | Response;

/** The engine as the SDK sees it: the resource monitor and the engine's own service, on one loopback port. */
export class Monitor {
  private readonly server = new Server(channelOptions);
  private readonly open = new Set<(reason: string) => void>();
  private rootUrn = "";
  address = "";

  constructor(
    private readonly info: DeploymentInfo,
    private readonly requests: MonitorRequests,
    private readonly report: Report,
  ) {}

  async start(): Promise<void> {
    this.server.addService(ResourceMonitorService, this.monitorService());
    this.server.addService(EngineService, this.engineService());
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    this.address = `127.0.0.1:${port}`;
  }

  /** Answers every open call with "unavailable": the SDK then stops without complaint. */
  abandon(): void {
    for (const refuse of [...this.open]) refuse("resource monitor shut down");
  }

  close(): void {
    this.abandon();
    this.server.forceShutdown();
  }

  private monitorService(): UntypedServiceImplementation {
    return {
      getDeploymentInfo: this.answer(() => this.deploymentInfo()),
      supportsFeature: this.answer(() => new proto.SupportsFeatureResponse()),
      registerResource: this.answer((request: proto.RegisterResourceRequest) => this.register(request)),
      registerResourceOutputs: this.answer(async (request: proto.RegisterResourceOutputsRequest) => {
        await this.requests.registerOutputs(request.getUrn(), fromStruct(request.getOutputs(), "outputs", "keep"));
        return new Empty();
      }),
      registerResourceHook: this.answer((request: proto.RegisterResourceHookRequest) => {
        this.requests.registerHook(request);
        return new Empty();
      }),
      signalAndWaitForShutdown: this.answer(async () => {
        await this.requests.programDone();
        return new Empty();
      }),
      invoke: this.answer((request: proto.ResourceInvokeRequest): Empty => {
        throw new Error(`the test engine has no function ${request.getTok()}`);
      }),
      readResource: this.answer((request: proto.ReadResourceRequest): Empty => {
        throw new Error(`${request.getType()} ${JSON.stringify(request.getName())}: the test engine does not read resources it does not own`);
      }),
    };
  }

  private engineService(): UntypedServiceImplementation {
    const severities: Record<number, Severity> = { 0: "debug", 1: "info", 2: "warning", 3: "error" };
    return {
      log: this.answer((request: engineProto.LogRequest) => {
        this.report({
          urn: request.getUrn(),
          severity: severities[request.getSeverity()] ?? "info",
          message: withoutColors(request.getMessage()),
          streamId: request.getStreamid(),
          ephemeral: request.getEphemeral(),
        });
        return new Empty();
      }),
      setRootResource: this.answer((request: engineProto.SetRootResourceRequest) => {
        this.rootUrn = request.getUrn();
        return new engineProto.SetRootResourceResponse();
      }),
      getRootResource: this.answer(() => {
        const response = new engineProto.GetRootResourceResponse();
        response.setUrn(this.rootUrn);
        return response;
      }),
    };
  }

  private deploymentInfo(): proto.DeploymentInfo {
    const response = new proto.DeploymentInfo();
    // The SDK's declarations spell two of its setters otherwise than its code does.
    const setters = response as unknown as { setDryrun(value: boolean): void; setConfigsecretkeysList(keys: string[]): void };
    response.setProject(this.info.project);
    response.setStack(this.info.stack);
    response.setOrganization(this.info.organization);
    setters.setDryrun(this.info.preview);
    response.setParallel(this.info.parallel);
    for (const [key, value] of Object.entries(this.info.config)) response.getConfigMap().set(key, value);
    setters.setConfigsecretkeysList(this.info.secretKeys);
    response.setSupportedfeaturesList(features);
    return response;
  }

  private async register(request: proto.RegisterResourceRequest): Promise<proto.RegisterResourceResponse> {
    const { state, unknown } = await this.requests.register(readGoal(request));
    const response = new proto.RegisterResourceResponse();
    response.setUrn(state.urn);
    response.setId(state.id);
    response.setResult(proto.Result.SUCCESS);
    response.setUnknown(unknown);
    // A component's outputs may refer to resources that are not registered yet, so it gets none back.
    const outputs = state.custom ? (state.outputs ?? {}) : {};
    response.setObject(toStruct(outputs, { secrets: true, unknowns: "keep" }));
    return response;
  }

  /** A handler that answers once: with its result, with its error, or with the end of the deployment. */
  private answer<Request, Response>(handler: Handler<Request, Response>) {
    return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
      let answered = false;
      const once = (...answer: Parameters<sendUnaryData<Response>>) => {
        if (answered) return;
        answered = true;
        this.open.delete(abandon);
        callback(...answer);
      };
      const abandon = (reason: string) => once({ code: status.UNAVAILABLE, details: reason });
      this.open.add(abandon);
      // The handler may throw at once or later; both become the call's error.
      void (async () => handler(call.request))().then(
        (response) => once(null, response),
        (error: Error) => once({ code: status.UNKNOWN, details: error.message }),
      );
    };
  }
}
