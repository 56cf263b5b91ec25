// The first fold of code in a section opens and closes the others, which have no line of their own.
document.documentElement.classList.add("folding");
for (const first of document.querySelectorAll("details.leads")) {
  const section = first.closest("section");
  first.addEventListener("toggle", () => {
    for (const fold of section.querySelectorAll("details.follows")) {
      if (fold.closest("section") === section) fold.open = first.open;
    }
  });
}
