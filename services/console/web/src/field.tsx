// A labelled input of a toolbar.

import { Search } from "./icons.tsx";

interface Props {
  label: string;
  value: string;
  input(value: string): void;
  leave?(): void;
  placeholder?: string;
  hint?: string;
  mono?: boolean;
  icon?: boolean;
  invalid?: boolean;
}

/** Field is an input with its label inside the frame. */
export function Field({ label, value, input, leave, placeholder, hint, mono, icon, invalid }: Props) {
  return (
    <label class={`filter filter-${label.toLowerCase()}`} title={hint}>
      {icon ? <Search /> : <span class="filter-label">{label}</span>}
      <input type="text" class={mono ? "mono" : ""} value={value} placeholder={placeholder} aria-label={label} aria-invalid={invalid}
        autocomplete="off" autocapitalize="off" spellcheck={false} onInput={(e) => input(e.currentTarget.value)} onBlur={leave} />
    </label>
  );
}

/** Choice is a select with its label inside the frame. options are pairs of value and words. */
export function Choice({ label, value, input, options }: Pick<Props, "label" | "value" | "input"> & { options: [string, string][] }) {
  return (
    <label class="filter choice">
      <span class="filter-label">{label}</span>
      <select aria-label={label} value={value} onChange={(e) => input(e.currentTarget.value)}>
        {options.map(([v, words]) => <option key={v} value={v}>{words}</option>)}
      </select>
    </label>
  );
}
