// What is not needed at first comes when it is: views with their code and their style.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

type Component<P> = (props: P) => ComponentChildren;

/** lazy is a component that is loaded when it is first shown. Until then there is an empty panel in
 * its place, and when it can't be had, that is said. */
export function lazy<P extends object>(load: () => Promise<Component<P>>): Component<P> {
  let Found: Component<P> | undefined;
  return function Lazy(props: P) {
    const [failed, fail] = useState(false);
    const [, again] = useState(0);
    useEffect(() => {
      if (Found) return;
      let gone = false;
      load().then((c) => {
        Found = c;
        if (!gone) again((n) => n + 1);
      }, () => gone || fail(true));
      return () => void (gone = true);
    }, []);
    if (Found) return <Found {...props} />;
    return <section class="panel" aria-busy={!failed}>{failed && <Missing />}</section>;
  };
}

/** Missing explains a part that did not come: the network is away, or the server has a newer page. */
function Missing() {
  return (
    <div class="notice part-missing" role="alert">
      <h2>This view did not load</h2>
      <p>The network may be away, or the server may have been updated since the page was opened.</p>
      <p><button type="button" class="button" onClick={() => location.reload()}>Load the page again</button></p>
    </div>
  );
}

const worn = new Set<string>();

/** wear adds the style that a part brought along. A sheet made by script asks nothing of the page's
 * policy. */
export function wear(css: string): void {
  if (worn.has(css)) return;
  worn.add(css);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
