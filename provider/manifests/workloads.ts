import type { ImagePath } from "./imagePath";
import { parseImagePath } from "./imagePath";

/** Kinds that hold a pod: the API groups that they are, or were, in; and where their pod's spec stands. */
const pods: Readonly<Record<string, { groups: readonly string[]; spec: string }>> = {
  Pod: { groups: [""], spec: "spec" },
  PodTemplate: { groups: [""], spec: "template.spec" },
  ReplicationController: { groups: [""], spec: "spec.template.spec" },
  ReplicaSet: { groups: ["apps", "extensions"], spec: "spec.template.spec" },
  Deployment: { groups: ["apps", "extensions"], spec: "spec.template.spec" },
  StatefulSet: { groups: ["apps"], spec: "spec.template.spec" },
  DaemonSet: { groups: ["apps", "extensions"], spec: "spec.template.spec" },
  Job: { groups: ["batch"], spec: "spec.template.spec" },
  CronJob: { groups: ["batch"], spec: "spec.jobTemplate.spec.template.spec" },
};

/** Within a pod's spec. A patch of kustomize has containers without images, and so may any of them be missing. */
const inPod = [
  "initContainers[].image",
  "containers[].image",
  "ephemeralContainers[].image",
  "volumes[].image.reference",
];

const pathsOfKinds = new Map(
  Object.entries(pods).map(([kind, { spec }]) => [kind, inPod.map((path) => parseImagePath(`${spec}.${path}?`))]),
);

/** Where a Kubernetes kind names images; none for what is no workload. `group` undefined: not said. */
export function workloadPaths(kind: string, group: string | undefined): ImagePath[] {
  const known = Object.hasOwn(pods, kind) ? pods[kind] : undefined;
  if (known === undefined || (group !== undefined && !known.groups.includes(group))) {
    return [];
  }
  return (pathsOfKinds.get(kind) ?? []).filter((path) => path !== undefined);
}
