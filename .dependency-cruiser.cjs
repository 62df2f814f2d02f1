/**
 * Which room may import which. An arrow that is not here is forbidden:
 *
 *     sdk -> resources -> pulumi, verify -> registry, node -> archive, containerd, manifests -> model
 */
const rooms = {
  "provider/model": [],
  "provider/archive": ["model"],
  "provider/containerd": ["model"],
  "provider/manifests": ["model"],
  "provider/registry": ["archive", "model"],
  "provider/node": ["containerd", "model"],
  "provider/verify": ["registry", "node", "containerd", "model"],
  "provider/pulumi": ["model"],
  "provider/resources": ["pulumi", "verify", "registry", "node", "archive", "containerd", "manifests", "model"],
};

const room = (name) => `^${name}/`;

module.exports = {
  forbidden: [
    ...Object.entries(rooms).map(([name, below]) => ({
      name: `from-${name.replace("provider/", "")}`,
      severity: "error",
      comment: `${name} imports from ${below.length === 0 ? "no other room" : below.join(", ")} only`,
      from: { path: room(name) },
      to: {
        path: "^(provider|sdk|tests|examples)/",
        pathNot: [name, ...below.map((one) => `provider/${one}`)].map(room),
      },
    })),
    {
      name: "names-in-state",
      severity: "error",
      comment: "provider/index.ts only names what the resources export",
      from: { path: "^provider/index\\.ts$" },
      to: { pathNot: "^provider/resources/" },
    },
    {
      name: "sdk-takes-from-provider",
      severity: "error",
      comment: "the tests and examples are no part of what is published",
      from: { path: "^sdk/" },
      to: { path: "^(tests|examples)/" },
    },
    {
      name: "pulumi-in-its-place",
      severity: "error",
      comment:
        "Pulumi's dialect is spoken in sdk/ and provider/pulumi alone, so that another front door needs nothing else",
      from: { path: "^provider/", pathNot: "^provider/pulumi/" },
      to: { path: "node_modules/@pulumi/" },
    },
    {
      name: "no-pulumi-among-arguments",
      severity: "error",
      comment:
        "What decides about a resource can be called without a Pulumi program; only operations.ts is bound to Pulumi, " +
        "through provider/pulumi",
      from: { path: "^provider/(resources|verify|model)/", pathNot: "^provider/resources/[^/]+/operations\\.ts$" },
      to: { path: "node_modules/@pulumi/", reachable: true },
    },
    {
      name: "sdk-decides-nothing",
      severity: "error",
      comment:
        "sdk/ declares inputs, lifts outputs and calls what resources and verify offer; of the rooms below it takes " +
        "types alone",
      from: { path: "^sdk/" },
      to: {
        path: "^provider/(pulumi|registry|node|archive|containerd|manifests)/",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "no-circles",
      severity: "error",
      comment: "two files that need each other are one, or lack a third",
      from: { path: "^(provider|sdk)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
