import type { CodeText } from "./codeText";

/** The containerd configuration of a node, or what is asked of it. Nothing was changed. */
export const containerdCodes = {
  CONTAINERD_VERSION: {
    cause: "The node's containerd is too old for what is declared, or its version cannot be read.",
    wayOut: "Upgrade containerd, or declare what the error says.",
  },
  CONTAINERD_TOML: {
    cause: "A configuration file of containerd is not valid TOML.",
    wayOut: "Correct it on the node first; the error has line and column.",
  },
  CONTAINERD_CONFIG_VERSION: {
    cause: "A configuration file of containerd is a version 1 file, which is not edited here.",
    wayOut: "Bring it to version 2 or later on the node, as the error says.",
  },
  CONTAINERD_CRI_DISABLED: {
    cause: "CRI is switched off in the node's containerd, so Kubernetes cannot use it.",
    wayOut: "Write a full configuration on the node, as the error says.",
  },
  CONTAINERD_STYLE: {
    cause: "configStyle asks for a style that this node's containerd cannot have.",
    wayOut: 'Use "auto", or the style that the error names.',
  },
  CONTAINERD_EDIT: {
    cause: "A configuration file cannot be edited without touching more than the registry part.",
    wayOut: "Write its registry settings as [table] headers, as containerd config default prints them.",
  },
  CONTAINERD_CONFIG_LOCKED: {
    cause: "What is declared needs a setting in a configuration that another program writes at each start.",
    wayOut: "Declare it without that setting, or set it where that program takes it from (docs/nodes.md).",
  },
  CONTAINERD_PLAN: {
    cause: "The node's configuration is broken already, or cannot be brought to do what is declared.",
    wayOut: "Correct on the node what the error names.",
  },
  CONTAINERD_CONFLICT: {
    cause: "What is declared for a node contradicts itself.",
    wayOut: "Leave out one of the two that the error names.",
  },
  CONTAINERD_DESIRED: {
    cause: "What is declared for a node cannot be written in a containerd configuration.",
    wayOut: "Correct what the error names.",
  },
  CONTAINERD_NOT_LASTING: {
    cause: "k3s or RKE2 would undo at its next start what is declared for the node.",
    wayOut: "Do what the error says: upgrade it, restart it, or take hosts out of registries.yaml (docs/nodes.md).",
  },
  CONTAINERD_REGISTRIES: {
    cause: "registries.yaml of the node cannot be read as k3s reads it, or not be edited.",
    wayOut: "Correct it on the node, as the error says.",
  },
  CONTAINERD_CREDENTIAL: {
    cause: "A credential is missing that a file of the node needs, or cannot stand there.",
    wayOut: "Give pullCredentialConfigPath, or a username without a colon and a password.",
  },
} as const satisfies Record<string, CodeText>;
