import { credentials } from "@grpc/grpc-js";
import { CallbacksClient } from "@pulumi/pulumi/proto/callback_grpc_pb";
import { CallbackInvokeRequest } from "@pulumi/pulumi/proto/callback_pb";
import { ResourceHookRequest, ResourceHookResponse, type RegisterResourceHookRequest } from "@pulumi/pulumi/proto/resource_pb";
import { diagnostic, type Report } from "./diagnostics";
import { toStruct } from "./marshal";
import { channelOptions } from "./providerProcess";
import type { ResourceState } from "./state";
import { parseUrn } from "./urn";

export type HookMoment = "BeforeCreate" | "AfterCreate" | "BeforeUpdate" | "AfterUpdate" | "BeforeDelete" | "AfterDelete";

interface Hook {
  token: string;
  client: CallbacksClient;
  onPreview: boolean;
  ignoreErrors: boolean;
}

/** Functions of the program that run around the steps of a resource. They live in the program's process. */
export class Hooks {
  private readonly hooks = new Map<string, Hook>();
  private readonly clients = new Map<string, CallbacksClient>();

  constructor(
    private readonly preview: boolean,
    private readonly report: Report,
  ) {}

  register(request: RegisterResourceHookRequest): void {
    const callback = request.getCallback();
    if (callback === undefined) throw new Error(`hook ${JSON.stringify(request.getName())} has no callback`);
    if (this.hooks.has(request.getName())) throw new Error(`resource hook already registered for name ${JSON.stringify(request.getName())}`);
    const target = callback.getTarget();
    const client = this.clients.get(target) ?? new CallbacksClient(target, credentials.createInsecure(), channelOptions);
    this.clients.set(target, client);
    this.hooks.set(request.getName(), {
      token: callback.getToken(),
      client,
      onPreview: request.getOnDryRun(),
      ignoreErrors: request.getIgnoreErrors(),
    });
  }

  /** Runs the hooks the resource is bound to. @throws when one fails and does not ignore its errors. */
  async run(moment: HookMoment, old: ResourceState | undefined, fresh: ResourceState | undefined): Promise<void> {
    const bound = (fresh ?? old)?.hooks[moment] ?? [];
    for (const name of bound) {
      const hook = this.hooks.get(name);
      if (hook === undefined) throw new Error(`hook ${JSON.stringify(name)} was not registered`);
      if (this.preview && !hook.onPreview) continue;
      const failure = await this.invoke(hook, moment, old, fresh);
      if (failure === "") continue;
      const urn = (fresh ?? old)?.urn ?? "";
      if (!hook.ignoreErrors) {
        throw new Error(`${moment.startsWith("Before") ? "before" : "after"} hook ${JSON.stringify(name)} failed: ${failure}`);
      }
      this.report(diagnostic("warning", urn, `${moment} hook ${JSON.stringify(name)} failed: ${failure}`));
    }
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }

  private invoke(hook: Hook, moment: HookMoment, old: ResourceState | undefined, fresh: ResourceState | undefined): Promise<string> {
    const state = fresh ?? old;
    if (state === undefined) throw new Error("a hook without a resource");
    const { name, type } = parseUrn(state.urn);
    const request = new ResourceHookRequest();
    request.setUrn(state.urn);
    request.setId(state.id);
    request.setName(name);
    request.setType(type);
    const pack = (values: Parameters<typeof toStruct>[0]) => toStruct(values, { secrets: true, unknowns: "keep" });
    if (fresh !== undefined) request.setNewInputs(pack(fresh.inputs));
    if (old !== undefined) request.setOldInputs(pack(old.inputs));
    if (fresh?.outputs !== undefined && moment.startsWith("After")) request.setNewOutputs(pack(fresh.outputs));
    if (old?.outputs !== undefined) request.setOldOutputs(pack(old.outputs));
    const call = new CallbackInvokeRequest();
    call.setToken(hook.token);
    call.setRequest(request.serializeBinary());
    return new Promise((resolve) => {
      hook.client.invoke(call, (error, response) => {
        resolve(error === null ? ResourceHookResponse.deserializeBinary(response.getResponse_asU8()).getError() : error.details);
      });
    });
  }
}
