import type { CodeText } from "./codeText";

/** What a program can say wrongly, whichever resource it says it to. */
export const argumentCodes = {
  ARGUMENTS_INVALID: {
    cause: "An argument is missing, or its value is not of the kind that the argument takes.",
    wayOut: "Give what the error names; where the value is another resource's output, see that it has one.",
  },
  FILE_UNREADABLE: {
    cause: "A file that an argument names cannot be read on the machine that runs Pulumi.",
    wayOut: "Give the path of a readable file; a relative one counts from the program's folder.",
  },
  FILE_NOT_WRITTEN: {
    cause: "A file that an argument names cannot be written on the machine that runs Pulumi.",
    wayOut: "Give a path in a folder that is there and that Pulumi's user may write to; a full disk needs room.",
  },
  CA_INVALID: {
    cause: "caCert, or the file of caCertPath, is no PEM certificate, or holds a private key.",
    wayOut: "Give the CA certificate in PEM form; a DER file converts with openssl x509 -inform der.",
  },
  CA_TWICE: {
    cause: "caCert and caCertPath are both given.",
    wayOut: "Leave one of them out.",
  },
  CREDENTIALS_TWICE: {
    cause: "The credentials of one registry are given in two ways.",
    wayOut: "Leave one of them out.",
  },
  CREDENTIALS_INCOMPLETE: {
    cause: "A username is given without a password, or a password without a username.",
    wayOut: "Give both, or neither.",
  },
  CREDENTIALS_MISSING: {
    cause: "Credentials are given, and what their values come from gave none.",
    wayOut: "See that the other resource has the output, or leave the arguments out.",
  },
  ENDPOINT_INVALID: {
    cause: "The address of a registry cannot be read, or has no scheme where it needs one.",
    wayOut: "Write https://HOST:PORT, with a namespace behind it as the error says.",
  },
  REFERENCE_INVALID: {
    cause: "An image name cannot be read.",
    wayOut: "Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST.",
  },
  UNEXPECTED: {
    cause: "Something happened that this package does not know: a defect of it, or of the machine it runs on.",
    wayOut: "Run again; if it comes again, report it with the whole message.",
  },
} as const satisfies Record<string, CodeText>;
