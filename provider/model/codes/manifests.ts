import type { CodeText } from "./codeText";

/** `imagesIn`: the images that Kubernetes manifests name. */
export const manifestCodes = {
  IMAGES_IN_NOT_FOUND: {
    cause: "A file or folder of manifests is not there.",
    wayOut:
      "Give the path of one that is; a relative one counts from the program's folder. A text is given as { text }.",
  },
  IMAGES_IN_UNREADABLE: {
    cause: "A file of manifests cannot be read: no permission, too large, not UTF-8.",
    wayOut: "Correct what the error names.",
  },
  IMAGES_IN_NONE: {
    cause: "A file, folder, text or object that was given has no Kubernetes manifest in it, nothing with a kind.",
    wayOut: "Give one that has; to the arguments of a Pulumi resource add apiVersion and kind.",
  },
  IMAGES_IN_SYNTAX: {
    cause: "A document of manifests is no valid YAML or JSON.",
    wayOut: "Correct the line that the error names.",
  },
  IMAGES_IN_TEMPLATE: {
    cause: "What is given is still to be filled in, by Helm, kustomize, envsubst or another program.",
    wayOut: "Render it first, and give what comes out: imagesIn({ text }).",
  },
  IMAGES_IN_FIELD_TYPE: {
    cause: "On the way to an image stands something that is no list, or no mapping.",
    wayOut: "Correct the manifest, or the path in paths.",
  },
  IMAGES_IN_IMAGE_INVALID: {
    cause: "What stands in an image's field is no image name.",
    wayOut: "Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, or correct the path in paths.",
  },
  IMAGES_IN_PATH_INVALID: {
    cause: "A kind or a path in paths cannot be read.",
    wayOut: 'Write { "Kind.group": ["spec.image", "spec.sidecars[].image"] }.',
  },
  IMAGES_IN_PATH_UNMATCHED: {
    cause: "No manifest is of a kind in paths, or a path finds no image in any of them.",
    wayOut: "Correct it, take it out, or end a path that may find nothing with ?.",
  },
} as const satisfies Record<string, CodeText>;
