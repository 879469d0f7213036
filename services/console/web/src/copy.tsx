// Copying, with an answer: a button that says it worked.

import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { Check, Copy } from "./icons.tsx";

interface Props {
  text: string | (() => string);
  label: string;
  /** children is the visible text; without it the button is an icon. */
  children?: ComponentChildren;
  icon?: ComponentChildren;
}

/** CopyButton puts text on the clipboard. */
export function CopyButton({ text, label, children, icon }: Props) {
  const [done, set] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => set(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => set(await put(typeof text === "string" ? text : text()));
  return (
    <button type="button" class={children ? "button quiet" : "button quiet square"} aria-label={label} title={label} onClick={copy}>
      {done ? <Check /> : icon ?? <Copy />}
      {children && <span>{done ? "Copied" : children}</span>}
    </button>
  );
}

/** put writes to the clipboard. Over plain HTTP from another machine the clipboard API does not
 * exist, and the old way still works. */
async function put(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}
