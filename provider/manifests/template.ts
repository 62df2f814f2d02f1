export const renderFirst =
  "Render it first, and give the text: helm template, kubectl kustomize, envsubst, or what else fills it in.";

/**
 * Whether something else is to fill a text in: Helm's and Go's `{{ }}`, the shell's `$NAME`, `${NAME}` and `$(NAME)`,
 * `%NAME%`, `<name>`, `@NAME@`, and ko's `ko://`. None of these can stand in an image's name.
 */
export function isTemplateText(text: string): boolean {
  return /\{\{|\$[A-Za-z_{(]|%[^%\s]+%|<[^>]+>|^@|:@|^ko:\/\//.test(text);
}

/** What an unquoted `{{ .Values.image }}` is to YAML: a mapping whose only key is a mapping. */
export function isTemplateMapping(value: object): boolean {
  const [first, ...others] = Object.keys(value);
  return others.length === 0 && first !== undefined && (first.startsWith("{") || first === "[object Object]");
}
