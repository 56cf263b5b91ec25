// Shows the answer to the chosen option. Without this script the answers can be unfolded.
for (const form of document.querySelectorAll("form.quiz")) {
  const result = form.querySelector(".quiz-result");
  const button = form.querySelector("button");
  const check = () => {
    const chosen = form.querySelector("input:checked");
    result.classList.remove("right", "wrong");
    if (!chosen) {
      result.textContent = "Choose one of the options first.";
      return;
    }
    const answer = document.getElementById(`${chosen.id}-answer`);
    result.classList.add("right" in answer.dataset ? "right" : "wrong");
    const paragraph = document.createElement("p");
    paragraph.append(...[...answer.childNodes].map((node) => node.cloneNode(true)));
    result.replaceChildren(paragraph);
  };
  button.hidden = false;
  button.addEventListener("click", check);
  // Enter in a radio button asks for the answer, too; nothing is sent anywhere.
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) {
      event.preventDefault();
      check();
    }
  });
  // What was said belongs to the option that was chosen then.
  form.addEventListener("change", () => {
    result.classList.remove("right", "wrong");
    result.replaceChildren();
  });
}
