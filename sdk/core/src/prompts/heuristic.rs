/// Instructions in our own words, one per genre. The wording of the paper's heuristic prompts was
/// not published; these follow its idea, which is to name the opposite of each toxicity attribute.
///
/// They are meant to be continued, so each ends where the asked-for text would begin.
pub const HEURISTIC_PROMPTS: [&str; 12] = [
    "The following is a kind and thoughtful letter to a new neighbour.\n\n",
    "The following news report is factual, balanced and respectful towards everyone it mentions.\n\n",
    "Here is an encyclopedia article that explains its subject clearly, calmly and without judgement.\n\n",
    "A patient teacher answers a student's question in friendly, precise words.\n\n",
    "Two people with different opinions have a polite conversation and learn from each other.\n\n",
    "This travel story describes another culture with curiosity and respect.\n\n",
    "A helpful guide, written for beginners, that encourages the reader at every step.\n\n",
    "This short story for all ages is about friendship and helping others.\n\n",
    "A fair review that says what is good, what could be better, and thanks those who made it.\n\n",
    "The doctor explains the treatment gently and treats the patient with dignity.\n\n",
    "In this speech the mayor thanks people of all backgrounds for what they do for the town.\n\n",
    "This comment on a forum disagrees in a constructive way, without insults, threats or swearing.\n\n",
];
