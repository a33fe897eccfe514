/** The API's sentences for a person: they begin with the field that they are about. */

/** `image_url: the picture is damaged.` is `The picture is damaged.` for somebody who knows no fields. */
export function withoutField(sentence: string): string {
  const rest = sentence.replace(/^[a-z_]+: /, '');
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}
