import { fromJSON, type MethodDefinition } from "@grpc/proto-loader";

/**
 * What it takes to start a pod, of Kubernetes' Container Runtime Interface: names and field numbers are those of the
 * public runtime.v1 API. The provider starts nothing, so this part of it is the tests' own.
 */
const text = (id: number) => ({ type: "string", id });
const message = (type: string, id: number) => ({ type, id });

const messages = {
  ImageSpec: { fields: { image: text(1) } },
  PodSandboxMetadata: {
    fields: { name: text(1), uid: text(2), namespace: text(3), attempt: { type: "uint32", id: 4 } },
  },
  NamespaceOption: { fields: { network: { type: "int32", id: 1 } } },
  LinuxSandboxSecurityContext: { fields: { namespaceOptions: message("NamespaceOption", 1) } },
  LinuxPodSandboxConfig: { fields: { securityContext: message("LinuxSandboxSecurityContext", 2) } },
  PodSandboxConfig: {
    fields: { metadata: message("PodSandboxMetadata", 1), linux: message("LinuxPodSandboxConfig", 8) },
  },
  ContainerMetadata: { fields: { name: text(1), attempt: { type: "uint32", id: 2 } } },
  LinuxContainerSecurityContext: { fields: { namespaceOptions: message("NamespaceOption", 3) } },
  LinuxContainerConfig: { fields: { securityContext: message("LinuxContainerSecurityContext", 2) } },
  ContainerConfig: {
    fields: {
      metadata: message("ContainerMetadata", 1),
      image: message("ImageSpec", 2),
      linux: message("LinuxContainerConfig", 15),
    },
  },
  RunPodSandboxRequest: { fields: { config: message("PodSandboxConfig", 1) } },
  RunPodSandboxResponse: { fields: { podSandboxId: text(1) } },
  StopPodSandboxRequest: { fields: { podSandboxId: text(1) } },
  StopPodSandboxResponse: { fields: {} },
  RemovePodSandboxRequest: { fields: { podSandboxId: text(1) } },
  RemovePodSandboxResponse: { fields: {} },
  CreateContainerRequest: {
    fields: {
      podSandboxId: text(1),
      config: message("ContainerConfig", 2),
      sandboxConfig: message("PodSandboxConfig", 3),
    },
  },
  CreateContainerResponse: { fields: { containerId: text(1) } },
  StartContainerRequest: { fields: { containerId: text(1) } },
  StartContainerResponse: { fields: {} },
  ExecSyncRequest: {
    fields: {
      containerId: text(1),
      cmd: { rule: "repeated", type: "string", id: 2 },
      timeout: { type: "int64", id: 3 },
    },
  },
  ExecSyncResponse: {
    fields: { stdout: { type: "bytes", id: 1 }, stderr: { type: "bytes", id: 2 }, exitCode: { type: "int32", id: 3 } },
  },
};

const names = [
  "RunPodSandbox",
  "StopPodSandbox",
  "RemovePodSandbox",
  "CreateContainer",
  "StartContainer",
  "ExecSync",
] as const;
export type PodMethod = (typeof names)[number];

const services: Record<string, { methods: Record<PodMethod, { requestType: string; responseType: string }> }> = {
  RuntimeService: {
    methods: Object.fromEntries(
      names.map((name) => [name, { requestType: `${name}Request`, responseType: `${name}Response` }]),
    ) as Record<PodMethod, { requestType: string; responseType: string }>,
  },
};

const definition = fromJSON(
  { nested: { runtime: { nested: { v1: { nested: { ...messages, ...services } } } } } },
  { defaults: true, arrays: true, objects: true, longs: String },
);

/** How each method's messages are written and read, and where it is asked. */
export const podMethods = definition["runtime.v1.RuntimeService"] as unknown as Record<
  PodMethod,
  MethodDefinition<Record<string, unknown>, Record<string, unknown>>
>;
