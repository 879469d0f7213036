// A sheet is the text of a style, for a part that brings its own (lazy.tsx).
declare module "*.sheet.css" {
  const text: string;
  export default text;
}

// Any other style sheet is imported for its effect: the bundler puts it into app.css.
declare module "*.css" {}
