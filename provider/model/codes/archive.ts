import type { CodeText } from "./codeText";

/** The image package, before anything is sent. */
export const archiveCodes = {
  ARCHIVE_NOT_FOUND: {
    cause: "Nothing lies at the path of the package.",
    wayOut: "Check the path; a relative one counts from the program's folder.",
  },
  ARCHIVE_UNREADABLE: {
    cause: "The operating system refuses to read the package.",
    wayOut: "Let the user that runs Pulumi read it, or look at the disk.",
  },
  ARCHIVE_CHANGED: {
    cause: "The package changed while it was read.",
    wayOut: "Wait until it is completely written, then run again.",
  },
  ARCHIVE_UNKNOWN_FORM: {
    cause: "The package is neither a folder nor a tar, compressed or not.",
    wayOut: "Give a .tar, .tar.xz, .tar.gz, .tar.zst or a folder.",
  },
  ARCHIVE_UNSUPPORTED: {
    cause: "The package has a known form that is not read here, or was packed with settings that need too much memory.",
    wayOut: "Pack it again as the error says.",
  },
  ARCHIVE_DECODER_MISSING: {
    cause: "The package is an .xz, and this machine has neither the native decoder nor an xz program.",
    wayOut: "Install with optional dependencies, or install xz (xz-utils).",
  },
  ARCHIVE_EMPTY: {
    cause: "The package can be read and holds no images with a name.",
    wayOut: "Give a package that holds an OCI layout or a docker-archive; the error says what was found.",
  },
  ARCHIVE_TRUNCATED: {
    cause: "The package ends in the middle.",
    wayOut: "The download or copy was cut short; fetch it again.",
  },
  ARCHIVE_CORRUPT: {
    cause: "The package is damaged: its compression, a tar header, JSON or a reference in it.",
    wayOut: "Fetch or make it again.",
  },
  ARCHIVE_DIGEST_MISMATCH: {
    cause: "A content in the package is not what its digest says.",
    wayOut: "The package is damaged; fetch or make it again.",
  },
  ARCHIVE_ENTRY_REFUSED: {
    cause: "The archive has an entry that no image package has a use for, such as a path out of its folder.",
    wayOut: "Make the package again with a usual tool; do not trust this one.",
  },
  ARCHIVE_TOO_LARGE: {
    cause: "A manifest or another small file of the package is larger than any real one.",
    wayOut: "Split the package, or make it again.",
  },
  ARCHIVE_BOMB: {
    cause: "The package decodes to more than maxDecodedBytes, or has more entries than any real one.",
    wayOut: "If the package is real, raise maxDecodedBytes or split it.",
  },
  ARCHIVE_TOO_DEEP: {
    cause: "Archives lie in archives, more than are opened.",
    wayOut: "Unpack the outermost and give its folder.",
  },
  ARCHIVE_UNNAMED: {
    cause: "An image of the package has no full public name.",
    wayOut: "Save it again by its name; docs/packages.md says how each tool does it.",
  },
  ARCHIVE_NAME_CONFLICT: {
    cause: "One name stands for two different images.",
    wayOut: "Save it again by tag, or leave one of the two packages out.",
  },
  ARCHIVE_INCOMPLETE: {
    cause: "The config, a layer or a manifest of an image is not in the package.",
    wayOut: "Save the image again, with all layers.",
  },
  SIGNATURE_MISSING: {
    cause: "The package's detached signature is not where it should be, or cannot be read.",
    wayOut: "Put it beside the package as PACKAGE.1.sig, or name its file as signature.path.",
  },
  SIGNATURE_WRONG: {
    cause: "The signature does not fit package and key, or is none.",
    wayOut: "Fetch package, signature and key again from where they are published; do not push this package.",
  },
  SIGNATURE_KEY_INVALID: {
    cause:
      "The public key of signature or requireSigned is missing, given twice, unreadable, or of a kind that makes no such signatures.",
    wayOut:
      "Give the signer's public key as publicKeyPath or publicKey, in PEM form or DER: EC for signature; EC, RSA or Ed25519 for requireSigned.",
  },
  SIGNATURE_UNFIT: {
    cause:
      "A signature is declared for what cannot have it: a folder, images by name, or several packages with one path.",
    wayOut: "Give the package's file, and one path for one package; or leave signature out.",
  },
  ARCHIVE_SPOOL: {
    cause: "The folder for temporary files cannot be written.",
    wayOut: "Free space there, or set TMPDIR or spoolDir to a folder that can be written.",
  },
} as const satisfies Record<string, CodeText>;
