// Says how many pairs are right, and which to look at again. Without this script they unfold.
for (const form of document.querySelectorAll("form.matching")) {
  const result = form.querySelector(".matching-result");
  const button = form.querySelector("button");
  const menus = [...form.querySelectorAll("select")];
  const name = (menu) => form.querySelector(`label[for="${menu.id}"]`).textContent;
  button.hidden = false;
  button.addEventListener("click", () => {
    const chosen = menus.filter((menu) => menu.value);
    const wrong = chosen.filter((menu) => menu.value !== menu.dataset.right);
    for (const menu of menus) {
      menu.classList.toggle("right", menu.value === menu.dataset.right);
    }
    const right = chosen.length - wrong.length;
    result.textContent = !chosen.length
      ? "Choose an answer for at least one of them first."
      : `${right} of ${menus.length} are right. ${
          wrong.length ? `Look again at ${wrong.map(name).join(", ")}.` : ""
        }`;
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  // What was said belongs to the choices made then.
  form.addEventListener("change", (event) => {
    event.target.classList.remove("right");
    result.textContent = "";
  });
}
