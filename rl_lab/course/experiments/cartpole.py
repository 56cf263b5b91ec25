"""CartPole in the page: trained networks to push, and a DQN that learns while one watches."""

import traitlets

from rl_lab.course.experiments.base import Experiment


class CartPoleLive(Experiment):
    """One pole, five networks, and the reader's hands.

    A reader sees the cart, both action values of the chosen network, and the action that
    follows; a table keeps the returns of network and hands. Try: play *early*, then
    *collapsed*, the same run 15,000 environment steps later; push the cart until
    *solved* fails; then drive with the arrow keys and compare returns.

    The physics is that of Gymnasium's CartPole-v1, in JavaScript; the weights are those
    of ``book/studies/checkpoints.py``.

    Attributes:
        checkpoint: whose weights are used.
        driver: ``"network"`` or ``"hand"``.
        speed: 1 is real time, 50 environment steps a second.
        seed: of the starts.
        autoplay: play at once, unless the reader's system asks for less motion.
        state: after each episode, ``{"returns": {driver: [returns]}}``.
    """

    NAME = "cartpole_live"
    TITLE = "CartPole, live"
    SUMMARY = (
        "A pole on a cart, driven by a network of your choice: untrained, early in training, "
        "after it collapsed, recovered, or solved; or by your own hands. Below the cart stand the "
        "two action values and which of them wins. Push the cart or tilt the pole and see which "
        "networks catch it."
    )
    ASSETS = ("checkpoints",)

    checkpoint = traitlets.Enum(
        ["untrained", "early", "collapsed", "recovered", "solved"], "early"
    ).tag(sync=True)
    driver = traitlets.Enum(["network", "hand"], "network").tag(sync=True)
    speed = traitlets.Float(1.0, min=0.1, max=2.0).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32 - 1).tag(sync=True)
    autoplay = traitlets.Bool(False).tag(sync=True)


class TrainCartPole(Experiment):
    """A small DQN that learns CartPole in the page, in a worker of the browser.

    A reader sees the mean return of the last 20 training episodes rise over environment
    steps, run after run in one chart, and can stop at any update to read the minibatch,
    its targets and its loss. Try: train once as it is; switch replay off and train again;
    then with replay, but a target period of 1, which is no target network at all; then
    other seeds, since one run is an anecdote.

    It is Double DQN with two hidden layers of 32 units, one update per environment step,
    Adam with a learning rate that falls linearly to 0 over 20,000 environment steps, and
    observations scaled to about one in size.

    Attributes:
        replay: draw minibatches from the last 20,000 transitions, not from the newest ones.
        target_period: updates between two copies to the target network.
        lr: Adam's learning rate at the start.
        epsilon_end: epsilon after 3,000 environment steps.
        batch: transitions in a minibatch.
        double: the online network chooses the action of the target.
        n_step: environment steps in a return.
        dueling: values are those of V and A, as in `rl_lab.networks.DuelingQNetwork`.
        seed: of weights, starts, exploration and minibatches.
        state: ``{"runs": [...]}``, settings and mean return of the last 20 episodes of each.
    """

    NAME = "train_cartpole"
    TITLE = "Train it yourself"
    SUMMARY = (
        "A chart of the mean return of the last 20 training episodes over environment steps. "
        "Press Train and a small Double DQN learns CartPole in this page. Two stored runs of one "
        "seed, with replay and without, join yours when it is done; change a setting, train "
        "again, and compare the curves."
    )

    replay = traitlets.Bool(True).tag(sync=True)
    target_period = traitlets.Int(100, min=1, max=10_000).tag(sync=True)
    lr = traitlets.Float(0.002, min=1e-5, max=1.0).tag(sync=True)
    epsilon_end = traitlets.Float(0.05, min=0.0, max=1.0).tag(sync=True)
    batch = traitlets.Int(64, min=1, max=512).tag(sync=True)
    double = traitlets.Bool(True).tag(sync=True)
    n_step = traitlets.Int(1, min=1, max=50).tag(sync=True)
    dueling = traitlets.Bool(False).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**30 - 1).tag(sync=True)
