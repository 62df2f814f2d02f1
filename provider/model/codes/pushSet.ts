import type { CodeText } from "./codeText";

/** ImagePushSet: choosing, sending and deleting images. */
export const pushCodes = {
  SOURCE_INVALID: {
    cause: "source names no package, something that is no path, or one package twice.",
    wayOut: "Give the path of an image package, or several, each once.",
  },
  IMAGES_UNRESOLVED: {
    cause: "Images of a list cannot be had from their registries; the lines below the error say why of each.",
    wayOut: "Correct the names, or give credentials, CA or endpoint of the registry in registries.",
  },
  PLATFORM_MISSING: {
    cause: "An image has none of the platforms that are asked for.",
    wayOut: "Name one that the error lists, or leave platforms out.",
  },
  PACKAGE_CHANGED: {
    cause: "The package has changed since the program read it.",
    wayOut: "Run pulumi preview again to see what the new one holds.",
  },
  PACKAGE_INCOMPLETE: {
    cause: "A blob is neither in the package nor on the registry.",
    wayOut: "Make the package again, with all layers.",
  },
  MANIFEST_UNREADABLE: {
    cause: "A manifest in the package is not what its media type says.",
    wayOut: "Fetch or make the package again.",
  },
  REGISTRY_TWICE: {
    cause: "Two entries of a push set's registry are the same place.",
    wayOut: "Take one of them away, or give it a namespace of its own.",
  },
  REGISTRY_NOT_LISTED: {
    cause: "at() of a push set was asked for a registry that it does not have.",
    wayOut: "Name one of its registry's endpoints, which the error lists.",
  },
  PUSH_FILTER_INVALID: {
    cause: "include or exclude has an empty pattern.",
    wayOut: "Write a public name, with * or ** where it stands for several.",
  },
  PUSH_FILTER_UNMATCHED: {
    cause: "A pattern of include, exclude or requireSigned.images fits no image.",
    wayOut: "Correct the pattern; * stays within one part of the path, ** does not.",
  },
  IMAGE_UNSIGNED: {
    cause: "An image lies where it comes from without any cosign signature, and requireSigned asks for one.",
    wayOut: "Sign it with cosign sign --key, take it from where its signature is, or leave it out.",
  },
  IMAGE_SIGNATURE_WRONG: {
    cause: "None of an image's signatures is by the key of requireSigned and for this image.",
    wayOut: "Do not push it: fetch image and key again from where they are published. The error says what was found.",
  },
  PUSH_CONFLICT: {
    cause: "Two different images would have one name in the mirror. Nothing was tagged.",
    wayOut: "Leave one of them out with exclude.",
  },
  PUSH_INCOMPLETE: {
    cause: "Some images could not be pushed or deleted; the others are there.",
    wayOut: "Correct what the lines below the error name; the next pulumi up does only what is missing.",
  },
  PUSH_PLATFORM_FAILED: {
    cause: "A platform of an image did not arrive, so the image's name was left as it was.",
    wayOut: "Correct what the error names, and run pulumi up again.",
  },
  PUSH_RECORD_REFUSED: {
    cause:
      "deleteImages and prune need a record of the push set, and the registry does not take it. Nothing was pushed.",
    wayOut:
      "Create the repository, name another one with probeRepository, or set deleteImages: false and leave prune out.",
  },
  PUSH_UNSTABLE: {
    cause: "The package was read several times, and its blobs still did not all arrive.",
    wayOut: "Check the connection to the registry, then run again; what is there is kept.",
  },
  PRUNE_RECORD_UNREADABLE: {
    cause:
      "A record of another push set cannot be read, so that nobody can tell what that one has. Nothing was pruned.",
    wayOut: "Run its program with this version; where it is gone for good, delete the tag that the error names.",
  },
  DELETE_INCOMPLETE: {
    cause: "Some images could not be deleted from the registry.",
    wayOut: "Correct what the lines below the error name and run again, or set deleteImages: false.",
  },
} as const satisfies Record<string, CodeText>;
